// A model of one layer as a checkpoint, and the decoding of what a file holds.

import { expect } from 'vitest';
import { readSafetensors } from '../../src/formats/hf-repository.ts';
import type { ModelFile } from '../../src/formats/types.ts';
import { Random } from '../ref/random.ts';
import { floats, memorySource, packed, type RawTensor, safetensors } from './safetensors-bytes.ts';

export interface Decoded {
  dims: readonly number[];
  codes?: Uint8Array;
  /** Of each row, or of each group of 128. */
  scales: number[];
  /** scale * code, or the numbers. */
  values: Float32Array;
}

export async function decode(file: ModelFile): Promise<Map<string, Decoded>> {
  const out = new Map<string, Decoded>();
  for (const { name, dims, encoding, offsetBytes, lengthBytes } of file.tensors) {
    const bytes = await file.source.read(offsetBytes, lengthBytes);
    const elems = dims.reduce((a, b) => a * b);
    const values = new Float32Array(elems);
    if (encoding.family === 'dense') {
      encoding.decode(bytes, elems, values);
      out.set(name, { dims, scales: [], values });
      continue;
    }
    if (encoding.family !== 'ternary') throw new Error(`${name} is ${encoding.family}`);
    const codes = new Uint8Array(elems);
    const group = encoding.scaleElems === 'tensor' ? dims[0]! : encoding.scaleElems;
    const scales = new Float32Array(elems / group);
    encoding.decode(bytes, elems, codes, scales);
    if (encoding.tensorScale) scales.fill(encoding.tensorScale(bytes.subarray(-32)));
    for (let i = 0; i < elems; i++) values[i] = (codes[i]! - 1) * scales[Math.floor(i / group)]!;
    out.set(name, { dims, codes, scales: [...scales], values });
  }
  return out;
}

export function expectSame(got: Map<string, Decoded>, expected: Map<string, Decoded>): void {
  expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, { dims, codes, scales, values }] of expected) {
    const tensor = got.get(name)!;
    expect(tensor.dims, name).toEqual(dims);
    if (codes) expect(Buffer.compare(tensor.codes!, codes), name).toBe(0);
    expect(tensor.scales, name).toEqual(scales);
    expect(Buffer.compare(new Uint8Array(tensor.values.buffer), new Uint8Array(values.buffer)), name).toBe(0);
  }
}

// A model of one layer: hidden 8, two heads of 4, one kv head, ffn 12, vocabulary 5.

export const sizes = { q: [8, 8], k: [4, 8], v: [4, 8], o: [8, 8], gate: [12, 8], up: [12, 8], down: [8, 12] } as const;
export type Linear = keyof typeof sizes;
export const linears = Object.keys(sizes) as Linear[];
export const layer = 'model.layers.0.';
export const pathOf = (linear: Linear) =>
  `${layer}${'qkvo'.includes(linear) ? 'self_attn' : 'mlp'}.${linear}_proj.weight`;

export const llamaConfig = {
  architectures: ['LlamaForCausalLM'],
  ...{ hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1 },
  ...{ vocab_size: 5, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true },
};
export const bitnetConfig = {
  ...llamaConfig,
  architectures: ['BitNetForCausalLM'],
  hidden_act: 'relu2',
};

export const ramp = (length: number, from = 0.5) => Array.from({ length }, (_, i) => from + i / 16);

/** Float weights 0.5, 0.5625 ...: no two the same. */
export function parts(
  changes: Record<string, RawTensor | undefined> = {},
  subNorms = false,
): Record<string, RawTensor> {
  const tensors: Record<string, RawTensor | undefined> = {
    'model.embed_tokens.weight': floats('F32', [5, 8], ramp(40)),
    [`${layer}input_layernorm.weight`]: floats('BF16', [8], ramp(8)),
    [`${layer}post_attention_layernorm.weight`]: floats('F32', [8], ramp(8)),
    'model.norm.weight': floats('F32', [8], ramp(8)),
  };
  for (const linear of linears)
    tensors[pathOf(linear)] = floats('BF16', [...sizes[linear]], ramp(sizes[linear][0] * sizes[linear][1]));
  if (subNorms) {
    tensors[`${layer}self_attn.attn_sub_norm.weight`] = floats('F32', [8], ramp(8));
    tensors[`${layer}mlp.ffn_sub_norm.weight`] = floats('F32', [12], ramp(12));
  }
  const all = { ...tensors, ...changes };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, RawTensor] => entry[1] !== undefined),
  );
}

export function openParts(tensors: Record<string, RawTensor>, config: unknown = llamaConfig): Promise<ModelFile> {
  return readSafetensors(memorySource('tiny.safetensors', safetensors(tensors)), config);
}

export const random = new Random(17);
export const randomCodes = (rows: number, cols: number) =>
  Array.from({ length: rows }, () => Array.from({ length: cols }, () => Math.floor(random.next() * 3) - 1));

/** All linear layers packed, with weight_scale 4. */
export function packedParts(changes: Record<string, RawTensor | undefined> = {}, subNorms = false) {
  const codes = Object.fromEntries(linears.map((linear) => [linear, randomCodes(sizes[linear][0], sizes[linear][1])]));
  const tensors: Record<string, RawTensor | undefined> = {};
  for (const linear of linears) {
    tensors[pathOf(linear)] = packed(codes[linear]!);
    tensors[`${pathOf(linear)}_scale`] = floats('BF16', [1], [4]);
  }
  return { codes, tensors: parts({ ...tensors, ...changes }, subNorms) };
}

/** Row 0 1 2 3 of a head of four becomes 0 2 1 3. */
export const interleaved = (rows: number[][]) => rows.map((_, i) => rows[i - (i % 4) + [0, 2, 1, 3][i % 4]!]!);

export const quantized = (settings: object = {}) => ({ quantization_config: { quant_method: 'bitnet', ...settings } });
