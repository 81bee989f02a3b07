// Llama: Llama3-8B-1.58, Falcon3-1.58bit, Falcon-E, TriLM and small float models. GGUF holds q and k with rows permuted,
// so that RoPE turns neighbours. Source: docs/models/llama.md.
import type { Architecture } from './architecture.ts';
import { llamaTensors, readConfig } from './config.ts';

export const llama: Architecture = {
  ids: ['llama'],

  config: (keys, vocabSize) => readConfig(keys, 'llama', vocabSize, 'pairs'),

  tensors: (config) => llamaTensors(config, { subNorms: false, scales: false }),

  forward(b, config) {
    const x = b.embed('token_embd.weight'); // [T, dim]
    for (let layer = 0; layer < config.nLayers; layer++) {
      const blk = (name: string) => `blk.${layer}.${name}.weight`;
      const h = b.rmsNorm(x, blk('attn_norm'));
      const [q, k, v] = b.linear(h, [blk('attn_q'), blk('attn_k'), blk('attn_v')]); // [T, heads * headDim], [T, kvHeads * headDim] twice
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
