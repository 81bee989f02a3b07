// What a stage is called in a profile: the same for all layers. Read from the labels that a builder gives.
import type { Plan } from '../plan/plan.ts';

/** In the order of a token's way through a layer. */
export const ROLES = [
  ...['embd', 'norms/quantise', 'attn_q+k+v', 'rope+cache', 'attn', 'attn_output', 'ffn_gate+up', 'ffn_down'],
  ...['ssm_in', 'ssm', 'ssm_out', 'head', 'other'],
] as const;
export type Role = (typeof ROLES)[number];

/** Steps between two matrices share a stage where no thread has to wait for another: its label is that of the first. */
const BY_LABEL: Readonly<Record<string, Role>> = {
  // The first stage: angles of the positions, rows of the embedding, and the first norm.
  'rope angles': 'embd',
  embd: 'embd',
  norm: 'norms/quantise',
  quantize: 'norms/quantise',
  tiles: 'norms/quantise',
  // The activation, and the norm or the quantisation after it.
  ffn_gate: 'norms/quantise',
  result_norm: 'norms/quantise',
  // Norms of the heads, RoPE, and the writes into the cache.
  'head norm': 'rope+cache',
  rope: 'rope+cache',
  result_output: 'head',
};
/** Of labels with a layer: "blk.3.attn_q". */
const BY_LAYER_LABEL: Readonly<Record<string, Role>> = {
  attn_q: 'attn_q+k+v',
  kv: 'rope+cache',
  attn: 'attn',
  attn_output: 'attn_output',
  ffn_gate: 'ffn_gate+up',
  ffn_down: 'ffn_down',
  ssm_in: 'ssm_in',
  ssm: 'ssm',
  ssm_out: 'ssm_out',
};

export function roleOf(label: string): Role {
  const name = layered(label)?.name;
  const table = name === undefined ? BY_LABEL : BY_LAYER_LABEL;
  const key = name ?? label;
  return (Object.hasOwn(table, key) ? table[key] : undefined) ?? 'other';
}

/** The layer of each stage, undefined before the first and after the last; norms belong to the matrix that reads them. */
export function layersOf(plan: Plan): (number | undefined)[] {
  const layers: (number | undefined)[] = [];
  let next: number | undefined;
  for (let i = plan.length - 1; i >= 0; i--) {
    const { label } = plan[i]!;
    next = layered(label)?.layer ?? next;
    layers[i] = roleOf(label) === 'embd' ? undefined : next;
  }
  return layers;
}

function layered(label: string): { layer: number; name: string } | undefined {
  const found = /^blk\.(\d+)\.(.+)$/.exec(label);
  return found ? { layer: Number(found[1]), name: found[2]! } : undefined;
}
