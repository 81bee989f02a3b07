// Qwen3: Bonsai (1 bit) and Ternary Bonsai. Llama's block with an RMSNorm for every head of queries and keys before RoPE;
// the heads together may be wider than the model. Weight-only: activations are floats. Source: docs/models/qwen3.md.
import type { Architecture } from './architecture.ts';
import { llamaTensors, readConfig } from './config.ts';

export const qwen3: Architecture = {
  ids: ['qwen3'],

  config: (keys, facts) => readConfig(keys, 'qwen3', facts, { pairing: 'half', activations: 'float' }),

  tensors: (config) => llamaTensors(config, { headNorms: true }),

  forward(b, config) {
    const x = b.embed('token_embd.weight'); // [T, dim]
    for (let layer = 0; layer < config.nLayers; layer++) {
      const blk = (name: string) => `blk.${layer}.${name}.weight`;
      const h = b.rmsNorm(x, blk('attn_norm'));
      const [q, k, v] = b.linear(h, [blk('attn_q'), blk('attn_k'), blk('attn_v')]); // [T, heads * headDim], [T, kvHeads * headDim] twice
      b.headNorm(q, blk('attn_q_norm'), config.nHeads);
      b.headNorm(k, blk('attn_k_norm'), config.nKvHeads);
      b.rope(q, config.nHeads);
      b.rope(k, config.nKvHeads);
      b.cache(k, v, layer);
      b.addLinear(x, b.attention(q, layer), blk('attn_output'));
      const f = b.rmsNorm(x, blk('ffn_norm'));
      const [g, u] = b.linear(f, [blk('ffn_gate'), blk('ffn_up')]); // [T, hiddenDim] twice
      b.addLinear(x, b.gate('silu', g, u), blk('ffn_down'));
    }
    b.logits(x, 'output_norm.weight', 'output.weight', 'token_embd.weight'); // [1, vocab]
  },
};
