// Reading the hyper-parameters that all architectures share, with llama.cpp's defaults.
import { TernlightError } from '../errors.ts';
import type { KeyValues, ModelConfig, RopeConfig, TensorSpec } from './architecture.ts';

function required(keys: KeyValues, key: string, max: number): number {
  const value = keys.perLayer(key, 0);
  if (value === undefined)
    throw new TernlightError('invalid-file', `model: key ${key} is missing; the file is not a complete model`);
  return bounded(key, value, 1, max);
}

function bounded(key: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max))
    throw new TernlightError('invalid-file', `model: ${key} is ${value}, expected ${min} to ${max}`);
  return value;
}

/** The same value in every layer, or a refusal: no architecture here varies by layer. */
function uniform(keys: KeyValues, key: string, nLayers: number, fallback?: number): number {
  const first = keys.perLayer(key, 0) ?? fallback;
  if (first === undefined)
    throw new TernlightError('invalid-file', `model: key ${key} is missing; the file is not a complete model`);
  for (let layer = 1; layer < nLayers; layer++) {
    const value = keys.perLayer(key, layer) ?? fallback;
    if (value !== first)
      throw new TernlightError('unsupported', `model: ${key} is ${value} in layer ${layer} and ${first} in layer 0`);
  }
  return bounded(key, first, 1, 2 ** 24);
}

export function readConfig(
  keys: KeyValues,
  architecture: string,
  vocabSize: number,
  pairing: RopeConfig['pairing'],
): ModelConfig {
  const key = (name: string) => `${architecture}.${name}`;
  const nLayers = required(keys, key('block_count'), 1024);
  const dim = required(keys, key('embedding_length'), 2 ** 20);
  const nHeads = uniform(keys, key('attention.head_count'), nLayers);
  const nKvHeads = uniform(keys, key('attention.head_count_kv'), nLayers, nHeads);
  if (nHeads % nKvHeads !== 0)
    throw new TernlightError(
      'invalid-file',
      `model: ${key('attention.head_count')} ${nHeads} is no multiple of ${key('attention.head_count_kv')} ${nKvHeads}`,
    );
  const headDim = keys.integer(key('attention.key_length')) ?? dim / nHeads;
  const valueDim = keys.integer(key('attention.value_length')) ?? headDim;
  if (!Number.isInteger(headDim) || headDim < 4 || headDim % 4 !== 0 || headDim > 4096)
    throw new TernlightError('unsupported', `model: head dimension is ${headDim}, expected a multiple of 4 up to 4096`);
  if (valueDim !== headDim)
    throw new TernlightError(
      'unsupported',
      `model: ${key('attention.value_length')} is ${valueDim}, expected ${headDim}`,
    );
  const eps = keys.float(key('attention.layer_norm_rms_epsilon'));
  if (eps === undefined)
    throw new TernlightError('invalid-file', `model: key ${key('attention.layer_norm_rms_epsilon')} is missing`);
  return {
    architecture,
    contextLength: required(keys, key('context_length'), 2 ** 24),
    dim,
    hiddenDim: uniform(keys, key('feed_forward_length'), nLayers),
    nLayers,
    nHeads,
    nKvHeads,
    headDim,
    vocabSize,
    rmsEps: bounded(key('attention.layer_norm_rms_epsilon'), eps, 0, 1),
    rope: readRope(keys, architecture, headDim, pairing),
  };
}

function readRope(keys: KeyValues, architecture: string, headDim: number, pairing: RopeConfig['pairing']): RopeConfig {
  const key = (name: string) => `${architecture}.rope.${name}`;
  const dims = keys.integer(key('dimension_count')) ?? headDim;
  if (dims < 2 || dims % 2 !== 0 || dims > headDim)
    throw new TernlightError(
      'invalid-file',
      `model: ${key('dimension_count')} is ${dims}, expected an even number up to ${headDim}`,
    );
  const factor = keys.float(key('scaling.factor')) ?? keys.float(key('scale_linear')) ?? 0;
  const type = keys.string(key('scaling.type')) ?? 'linear';
  if (type !== 'none' && type !== 'linear')
    throw new TernlightError('unsupported', `model: ${key('scaling.type')} is "${type}", expected "none" or "linear"`);
  const theta = keys.float(key('freq_base')) ?? 10000;
  return {
    pairing,
    dims,
    theta: bounded(key('freq_base'), theta, 1, 1e12),
    linearFactor: type === 'none' || factor === 0 ? 1 : bounded(key('scaling.factor'), factor, 1e-6, 1e6),
  };
}

/** The tensors of a Llama-like block, in the order in which a token meets them; `subNorms` adds BitNet's two. */
export function llamaTensors(config: ModelConfig, options: { subNorms: boolean; scales: boolean }): TensorSpec[] {
  const { dim, hiddenDim, vocabSize } = config;
  const heads = config.nHeads * config.headDim;
  const kvHeads = config.nKvHeads * config.headDim;
  const specs: TensorSpec[] = [{ name: 'token_embd.weight', dims: [dim, vocabSize], role: 'embedding' }];
  const norm = (name: string, length: number) => specs.push({ name, dims: [length], role: 'norm' });
  for (let layer = 0; layer < config.nLayers; layer++) {
    const blk = (name: string) => `blk.${layer}.${name}`;
    const linear = (name: string, cols: number, rows: number) => {
      specs.push({ name: blk(`${name}.weight`), dims: [cols, rows], role: 'linear' });
      if (options.scales) specs.push({ name: blk(`${name}.scale`), dims: [1], role: 'scale', optional: true });
    };
    norm(blk('attn_norm.weight'), dim);
    linear('attn_q', dim, heads);
    linear('attn_k', dim, kvHeads);
    linear('attn_v', dim, kvHeads);
    if (options.subNorms) norm(blk('attn_sub_norm.weight'), heads);
    linear('attn_output', heads, dim);
    norm(blk('ffn_norm.weight'), dim);
    linear('ffn_gate', dim, hiddenDim);
    linear('ffn_up', dim, hiddenDim);
    if (options.subNorms) norm(blk('ffn_sub_norm.weight'), hiddenDim);
    linear('ffn_down', hiddenDim, dim);
  }
  norm('output_norm.weight', dim);
  specs.push({ name: 'output.weight', dims: [dim, vocabSize], role: 'head', optional: true });
  return specs;
}
