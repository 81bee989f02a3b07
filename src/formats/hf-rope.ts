// Rotary embedding of config.json -> GGUF's keys and, for Llama-3.1's kind, the tensor of divisors.

import type { JsonObject } from './hf-json.ts';
import type { MetadataBuilder } from './hf-metadata.ts';
import type { HfModel } from './hf-model.ts';

const kinds = ['default', 'linear', 'yarn', 'llama3'];
const maxTokens = 2 ** 30;

/** @returns for "llama3" the divisors of the frequencies [headDim / 2] */
export function ropeEntries(config: JsonObject, model: HfModel, builder: MetadataBuilder): Float32Array | undefined {
  const key = (name: string) => `${model.architecture}.rope.${name}`;
  // transformers 5 has both in one object; older files may have either, and newer ones an empty other.
  const parameters = config.object('rope_parameters');
  const scaling = parameters ?? config.object('rope_scaling');
  const theta =
    parameters?.number('rope_theta', 1, 1e12) ??
    config.number('rope_theta', 1, 1e12) ??
    (model.architecture === 'bitnet-b1.58' ? 500000 : 10000); // the classes' own defaults
  for (const part of [config, ...(parameters ? [parameters] : [])]) {
    const share = part.number('partial_rotary_factor', 0, 1);
    if (share !== undefined && share !== 1) throw part.unsupported('partial_rotary_factor', '1');
  }
  builder.integer(key('dimension_count'), model.headDim).float(key('freq_base'), theta);
  if (!scaling) return undefined;
  const name = scaling.raw('rope_type') === undefined ? 'type' : 'rope_type';
  const kind = scaling.string(name) ?? 'default';
  if (!kinds.includes(kind)) throw scaling.unsupported(name, `one of ${kinds.join(', ')}`);
  if (kind === 'default') return undefined;
  const factor = scaling.number('factor', 1e-3, 1e6);
  if (factor === undefined) throw scaling.invalid('factor', 'a number');
  if (kind === 'llama3') return divisors(scaling, factor, theta, model);
  builder.string(key('scaling.type'), kind).float(key('scaling.factor'), factor);
  if (kind === 'yarn') yarnEntries(scaling, factor, model, builder);
  return undefined;
}

function yarnEntries(scaling: JsonObject, factor: number, model: HfModel, builder: MetadataBuilder): void {
  const key = (name: string) => `${model.architecture}.rope.scaling.${name}`;
  for (const name of ['mscale', 'mscale_all_dim']) {
    if (scaling.raw(name) !== undefined) throw scaling.unsupported(name, 'none');
  }
  if (scaling.boolean('truncate') === false) throw scaling.unsupported('truncate', 'true');
  const original = scaling.integer('original_max_position_embeddings', 1, maxTokens) ?? model.contextLength;
  // transformers' attention_factor is the whole factor of sin and cos; GGUF's multiplies 1 + 0.1 ln(factor).
  const whole = scaling.number('attention_factor', 1e-3, 1e3);
  const share = scaling.number('attn_factor', 1e-3, 1e3);
  const usual = factor > 1 ? 1 + 0.1 * Math.log(factor) : 1;
  builder
    .integer(key('original_context_length'), original)
    .float(key('yarn_beta_fast'), scaling.number('beta_fast', 1e-3, 1e6))
    .float(key('yarn_beta_slow'), scaling.number('beta_slow', 1e-3, 1e6))
    .float(key('yarn_attn_factor'), whole === undefined ? share : whole / usual);
}

/** Long waves are stretched by the factor, short ones are not, those between by something between. */
function divisors(scaling: JsonObject, factor: number, theta: number, { headDim }: HfModel): Float32Array {
  const low = scaling.number('low_freq_factor', 1e-3, 1e6) ?? 1;
  const high = scaling.number('high_freq_factor', 1e-3, 1e6) ?? 4;
  if (high <= low) throw scaling.invalid('high_freq_factor', `more than low_freq_factor ${low}`);
  const original = scaling.integer('original_max_position_embeddings', 1, maxTokens);
  if (original === undefined) throw scaling.invalid('original_max_position_embeddings', 'an integer');
  return Float32Array.from({ length: headDim / 2 }, (_, j) => {
    const wavelength = 2 * Math.PI * theta ** ((2 * j) / headDim);
    if (wavelength < original / high) return 1;
    if (wavelength > original / low) return factor;
    const share = (original / wavelength - low) / (high - low);
    return 1 / ((1 - share) / factor + share);
  });
}
