// BitMamba-2: no attention; each block is a projection, a convolution over four tokens, one number of state a channel and
// a projection back. Memory does not grow with the context. Source: docs/models/bitmamba.md.
import { TernlightError } from '../errors.ts';
import type { Architecture, ModelConfig, TensorSpec } from './architecture.ts';
import { bounded, required } from './keys.ts';

export const bitmamba: Architecture = {
  ids: ['bitmamba2'],

  config(keys, { vocabSize }): ModelConfig {
    const dim = required(keys, 'bitmamba2.embedding_length', 2 ** 20);
    const innerDim = required(keys, 'bitmamba2.ssm.inner_size', 2 ** 21);
    const nHeads = required(keys, 'bitmamba2.ssm.head_count', 2 ** 16);
    const headDim = innerDim / nHeads;
    if (!Number.isInteger(headDim) || headDim % 4 !== 0)
      throw new TernlightError('unsupported', `model: head dimension is ${headDim}, expected a multiple of 4`);
    const eps = keys.float('bitmamba2.attention.layer_norm_rms_epsilon') ?? 1e-6;
    return {
      architecture: 'bitmamba2',
      contextLength: required(keys, 'bitmamba2.context_length', 2 ** 24),
      dim,
      hiddenDim: innerDim,
      nLayers: required(keys, 'bitmamba2.block_count', 1024),
      nHeads,
      nKvHeads: nHeads,
      headDim,
      vocabSize,
      rmsEps: bounded('bitmamba2.attention.layer_norm_rms_epsilon', eps, 0, 1),
      recurrent: true,
      rope: undefined,
      activations: 'int8',
    };
  },

  tensors({ dim, hiddenDim: innerDim, nHeads, nLayers, vocabSize }) {
    const specs: TensorSpec[] = [{ name: 'token_embd.weight', dims: [dim, vocabSize], role: 'embedding' }];
    const vector = (name: string, length: number) => specs.push({ name, dims: [length], role: 'vector' });
    const linear = (name: string, cols: number, rows: number) =>
      specs.push({ name, dims: [cols, rows], role: 'linear' });
    for (let layer = 0; layer < nLayers; layer++) {
      const blk = (name: string) => `blk.${layer}.${name}`;
      vector(blk('ssm_in_norm.weight'), dim);
      linear(blk('ssm_in.weight'), dim, 2 * innerDim + 3 * nHeads);
      linear(blk('ssm_conv1d.weight'), 4, innerDim);
      vector(blk('ssm_conv1d.bias'), innerDim);
      vector(blk('ssm_dt.bias'), nHeads);
      vector(blk('ssm_a'), nHeads);
      vector(blk('ssm_d'), innerDim);
      vector(blk('ssm_out_norm.weight'), innerDim);
      linear(blk('ssm_out.weight'), innerDim, dim);
    }
    vector('output_norm.weight', dim);
    vector('output_in_norm.weight', dim);
    // Trained as the projections are, with a norm and int8 activations: no head that may be stored otherwise.
    linear('output.weight', dim, vocabSize);
    return specs;
  },

  forward(b, config) {
    const x = b.embed('token_embd.weight'); // [T, dim]
    for (let layer = 0; layer < config.nLayers; layer++) {
      const blk = (name: string) => `blk.${layer}.${name}`;
      const h = b.rmsNorm(x, blk('ssm_in_norm.weight'));
      const [p] = b.linear(h, [blk('ssm_in.weight')]); // [T, 2 innerDim + 3 heads]
      const y = b.mamba(p!, layer, blk); // [T, innerDim]
      b.addLinear(x, b.rmsNorm(y, blk('ssm_out_norm.weight')), blk('ssm_out.weight'));
    }
    b.logits(x, 'output_norm.weight', 'output.weight', 'token_embd.weight', 'output_in_norm.weight'); // [1, vocab]
  },
};
