// Names and shapes of tensors in a checkpoint -> names in GGUF. Knows nothing of how they are stored.

import type { HfModel } from './hf-model.ts';

export interface Place {
  readonly ggufName: string;
  readonly role: 'embedding' | 'head' | 'linear' | 'norm';
  /** As in PyTorch: [out, in] or [n]. */
  readonly shape: readonly number[];
  /** Rows that GGUF reorders within each head of this many: RoPE's pairs stand side by side there. */
  readonly headRows?: number;
}

const block = /^model\.layers\.(0|[1-9]\d{0,4})\.(.+)$/;

/** Every tensor that this model may have, but for those of the quantisation, by its name in the checkpoint. */
export class Names {
  private readonly ends: ReadonlyMap<string, Place>;
  private readonly blocks: ReadonlyMap<string, Omit<Place, 'ggufName'> & { ggufEnd: string }>;

  constructor(private readonly model: HfModel) {
    const { architecture, dim, hiddenDim, headDim, vocabSize } = model;
    const heads = model.nHeads * headDim;
    const kvHeads = model.nKvHeads * headDim;
    this.ends = new Map<string, Place>([
      ['model.embed_tokens.weight', { ggufName: 'token_embd.weight', role: 'embedding', shape: [vocabSize, dim] }],
      ['model.norm.weight', { ggufName: 'output_norm.weight', role: 'norm', shape: [dim] }],
      ['lm_head.weight', { ggufName: 'output.weight', role: 'head', shape: [vocabSize, dim] }],
    ]);
    const blocks = new Map<string, Omit<Place, 'ggufName'> & { ggufEnd: string }>();
    const linear = (name: string, ggufName: string, rows: number, cols: number, headRows?: number) =>
      blocks.set(`${name}.weight`, { ggufEnd: `${ggufName}.weight`, role: 'linear', shape: [rows, cols], headRows });
    const norm = (name: string, ggufName: string, length: number) =>
      blocks.set(`${name}.weight`, { ggufEnd: `${ggufName}.weight`, role: 'norm', shape: [length] });
    // GGUF's "llama" turns neighbours; all others turn (j, j + n/2), as transformers does.
    const headRows = architecture === 'llama' ? headDim : undefined;
    norm('input_layernorm', 'attn_norm', dim);
    linear('self_attn.q_proj', 'attn_q', heads, dim, headRows);
    linear('self_attn.k_proj', 'attn_k', kvHeads, dim, headRows);
    linear('self_attn.v_proj', 'attn_v', kvHeads, dim);
    linear('self_attn.o_proj', 'attn_output', dim, heads);
    norm('post_attention_layernorm', 'ffn_norm', dim);
    linear('mlp.gate_proj', 'ffn_gate', hiddenDim, dim);
    linear('mlp.up_proj', 'ffn_up', hiddenDim, dim);
    linear('mlp.down_proj', 'ffn_down', dim, hiddenDim);
    if (architecture === 'qwen3') {
      norm('self_attn.q_norm', 'attn_q_norm', headDim);
      norm('self_attn.k_norm', 'attn_k_norm', headDim);
    }
    if (architecture === 'bitnet' || architecture === 'bitnet-b1.58') {
      norm('self_attn.attn_sub_norm', 'attn_sub_norm', heads);
      norm('self_attn.inner_attn_ln', 'attn_sub_norm', heads);
      norm('mlp.ffn_sub_norm', 'ffn_sub_norm', hiddenDim);
      norm('mlp.ffn_layernorm', 'ffn_sub_norm', hiddenDim);
    }
    this.blocks = blocks;
  }

  /** Undefined if the model has no such tensor. */
  place(name: string): Place | undefined {
    const end = this.ends.get(name);
    if (end) return end;
    const [, layer, rest = ''] = block.exec(name) ?? [];
    const found = this.blocks.get(rest);
    if (!found || Number(layer) >= this.model.nLayers) return undefined;
    const { ggufEnd, ...place } = found;
    return { ...place, ggufName: `blk.${layer}.${ggufEnd}` };
  }

  /** One name in the checkpoint for each tensor that has to be there, and its name in GGUF. */
  *required(): Iterable<{ name: string; ggufName: string }> {
    yield { name: 'model.embed_tokens.weight', ggufName: 'token_embd.weight' };
    for (let layer = 0; layer < this.model.nLayers; layer++) {
      const seen = new Set<string>();
      for (const [name, { ggufEnd }] of this.blocks) {
        if (seen.has(ggufEnd)) continue; // the other class's name for the same
        seen.add(ggufEnd);
        yield { name: `model.layers.${layer}.${name}`, ggufName: `blk.${layer}.${ggufEnd}` };
      }
    }
    yield { name: 'model.norm.weight', ggufName: 'output_norm.weight' };
    if (this.model.tied === false) yield { name: 'lm_head.weight', ggufName: 'output.weight' };
  }
}

/** Buffers that some checkpoints hold and no model reads. */
export function isIgnored(name: string): boolean {
  return name.endsWith('.rotary_emb.inv_freq');
}
