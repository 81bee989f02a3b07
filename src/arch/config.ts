// Reading the hyper-parameters that all architectures share, with llama.cpp's defaults.
import { TernlightError } from '../errors.ts';
import { ROPE_DIVISORS } from '../plan/rope.ts';
import type { KeyValues, ModelConfig, ModelFacts, RopeConfig, TensorSpec } from './architecture.ts';
import { bounded, required, uniform } from './keys.ts';
import { readRope } from './rope-config.ts';

export function readConfig(
  keys: KeyValues,
  architecture: string,
  { vocabSize }: ModelFacts,
  model: { pairing: RopeConfig['pairing']; activations: ModelConfig['activations'] },
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
  const contextLength = required(keys, key('context_length'), 2 ** 24);
  return {
    architecture,
    contextLength,
    dim,
    hiddenDim: uniform(keys, key('feed_forward_length'), nLayers),
    nLayers,
    nHeads,
    nKvHeads,
    headDim,
    vocabSize,
    rmsEps: bounded(key('attention.layer_norm_rms_epsilon'), eps, 0, 1),
    rope: readRope(keys, architecture, { headDim, contextLength, pairing: model.pairing }),
    activations: model.activations,
  };
}

/**
 * The tensors of a Llama-like block, in the order in which a token meets them; `subNorms` adds BitNet's two, `headNorms`
 * those of Qwen3's queries and keys, `scales` BitNet's separate scales.
 */
export function llamaTensors(
  config: ModelConfig,
  options: { subNorms?: boolean; headNorms?: boolean; scales?: boolean } = {},
): TensorSpec[] {
  const { dim, hiddenDim, vocabSize } = config;
  const heads = config.nHeads * config.headDim;
  const kvHeads = config.nKvHeads * config.headDim;
  const specs: TensorSpec[] = [{ name: 'token_embd.weight', dims: [dim, vocabSize], role: 'embedding' }];
  const norm = (name: string, length: number) => specs.push({ name, dims: [length], role: 'vector' });
  if (config.rope) specs.push({ name: ROPE_DIVISORS, dims: [config.rope.dims / 2], role: 'vector', optional: true });
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
    if (options.headNorms) norm(blk('attn_q_norm.weight'), config.headDim);
    if (options.headNorms) norm(blk('attn_k_norm.weight'), config.headDim);
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
