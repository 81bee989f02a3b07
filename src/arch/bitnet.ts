// BitNet: Llama's block with an RMSNorm before the output projection and one before the down projection.
// "bitnet-b1.58" and "bitnet-25" (2B-4T) gate by squared ReLU; "bitnet" (bitnet_b1_58-large and -3B) by SiLU unless its
// file says relu2. Source: docs/models/bitnet.md.
import { TernlightError } from '../errors.ts';
import type { Architecture, KeyValues, ModelConfig } from './architecture.ts';
import { llamaTensors, readConfig } from './config.ts';

interface BitnetConfig extends ModelConfig {
  gate: 'silu' | 'relu2';
}

function gateOf(keys: KeyValues, architecture: string): BitnetConfig['gate'] {
  if (architecture !== 'bitnet') return 'relu2';
  const named = keys.string('bitnet.hidden_activation') ?? 'silu';
  if (named === 'relu2' || named === 'silu') return named;
  throw new TernlightError('unsupported', `model: bitnet.hidden_activation is "${named}", expected "silu" or "relu2"`);
}

export const bitnet: Architecture = {
  ids: ['bitnet', 'bitnet-b1.58', 'bitnet-25'],

  config(keys, facts): BitnetConfig {
    const architecture = keys.string('general.architecture') ?? '';
    return {
      ...readConfig(keys, architecture, facts, { pairing: 'half', activations: 'int8' }),
      gate: gateOf(keys, architecture),
    };
  },

  tensors: (config) => llamaTensors(config, { subNorms: true, scales: true }),

  forward(b, config) {
    const { gate } = config as BitnetConfig;
    const x = b.embed('token_embd.weight'); // [T, dim]
    for (let layer = 0; layer < config.nLayers; layer++) {
      const blk = (name: string) => `blk.${layer}.${name}.weight`;
      const h = b.rmsNorm(x, blk('attn_norm'));
      const [q, k, v] = b.linear(h, [blk('attn_q'), blk('attn_k'), blk('attn_v')]); // [T, heads * headDim], [T, kvHeads * headDim] twice
      b.rope(q, config.nHeads);
      b.rope(k, config.nKvHeads);
      b.cache(k, v, layer);
      const a = b.attention(q, layer); // [T, heads * headDim]
      b.addLinear(x, b.rmsNorm(a, blk('attn_sub_norm')), blk('attn_output'));
      const f = b.rmsNorm(x, blk('ffn_norm'));
      const [g, u] = b.linear(f, [blk('ffn_gate'), blk('ffn_up')]); // [T, hiddenDim] twice
      b.addLinear(x, b.rmsNorm(b.gate(gate, g, u), blk('ffn_sub_norm')), blk('ffn_down'));
    }
    b.logits(x, 'output_norm.weight', 'output.weight', 'token_embd.weight'); // [1, vocab]
  },
};
