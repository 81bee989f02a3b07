// What config.json says about a model's shape: class, sizes, activation. Checked here; GGUF's names for it are in
// hf-hyperparameters.ts.

import { TernlightError } from '../errors.ts';
import type { JsonObject } from './hf-json.ts';
import { describe } from './safetensors-text.ts';

/** As in GGUF. */
export type HfArchitecture = 'bitnet' | 'bitnet-b1.58' | 'llama' | 'qwen3';

export interface HfModel {
  readonly architecture: HfArchitecture;
  readonly contextLength: number;
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nLayers: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  readonly rmsEps: number;
  /** Undefined where config.json does not say whether the head is the embedding. */
  readonly tied: boolean | undefined;
}

// Microsoft's class has a capital N, 1bitLLM's has not.
const families = new Map([
  ['BitNetForCausalLM', 'bitnet'],
  ['BitnetForCausalLM', 'bitnet'],
  ['LlamaForCausalLM', 'llama'],
  ['Qwen3ForCausalLM', 'qwen3'],
] as const);
const byModelType = new Map([
  ['bitnet', 'bitnet'],
  ['llama', 'llama'],
  ['qwen3', 'qwen3'],
] as const);

type Family = 'bitnet' | 'llama' | 'qwen3';

/** @param tensorNames of the checkpoint: they tell the two kinds of BitNet apart where config.json does not */
export function readModel(config: JsonObject, tensorNames: Iterable<string>): HfModel {
  const family = familyOf(config);
  const dim = required(config, 'hidden_size', 2 ** 20);
  const nHeads = required(config, 'num_attention_heads', 2 ** 16);
  const nKvHeads = config.integer('num_key_value_heads', 1, 2 ** 16) ?? nHeads;
  if (nHeads % nKvHeads !== 0)
    throw config.invalid('num_key_value_heads', `a divisor of num_attention_heads ${nHeads}`);
  const headDim = config.integer('head_dim', 2, 4096) ?? dim / nHeads;
  if (!Number.isInteger(headDim)) throw config.invalid('hidden_size', `a multiple of num_attention_heads ${nHeads}`);
  if (headDim % 2 !== 0) throw config.invalid('head_dim', 'an even number');
  const rmsEps = config.number('rms_norm_eps', 0, 1);
  if (rmsEps === undefined) throw config.invalid('rms_norm_eps', 'a number from 0 to 1');
  if (config.boolean('use_sliding_window')) throw config.unsupported('use_sliding_window', 'false');
  if ((config.integer('weight_bits', 0, 64) ?? 1) !== 1) throw config.unsupported('weight_bits', '1');
  return {
    architecture: architectureOf(config, family, tensorNames),
    contextLength: required(config, 'max_position_embeddings', 2 ** 24),
    dim,
    hiddenDim: required(config, 'intermediate_size', 2 ** 24),
    nLayers: required(config, 'num_hidden_layers', 1024),
    nHeads,
    nKvHeads,
    headDim,
    vocabSize: required(config, 'vocab_size', 2 ** 24),
    rmsEps,
    tied: config.boolean('tie_word_embeddings'),
  };
}

function required(config: JsonObject, key: string, max: number): number {
  const value = config.integer(key, 1, max);
  if (value === undefined) throw config.invalid(key, `an integer from 1 to ${max}`);
  return value;
}

function familyOf(config: JsonObject): Family {
  const [name] = config.list('architectures') ?? [];
  const family =
    name === undefined
      ? byModelType.get((config.string('model_type') ?? '') as Family)
      : families.get(name as 'LlamaForCausalLM');
  if (family) return family;
  const [key, found] = name === undefined ? ['model_type', config.raw('model_type')] : ['architectures', name];
  throw new TernlightError(
    'unsupported',
    `${config.where}: ${key} is ${describe(found)}, expected one of ${[...families.keys()].join(', ')}`,
  );
}

function architectureOf(config: JsonObject, family: Family, tensorNames: Iterable<string>): HfArchitecture {
  const act = config.string('hidden_act');
  if (family !== 'bitnet') {
    if (act !== undefined && act !== 'silu') throw config.unsupported('hidden_act', '"silu"');
    return family;
  }
  if (act === 'relu2') return 'bitnet-b1.58';
  if (act === 'silu') return 'bitnet';
  if (act !== undefined) throw config.unsupported('hidden_act', '"relu2" or "silu"');
  // Each class has a default of its own, and both have model_type "bitnet".
  for (const name of tensorNames) if (name.endsWith('.self_attn.inner_attn_ln.weight')) return 'bitnet';
  return 'bitnet-b1.58';
}
