// Tensors that are larger than what is read at once, and the encoding that their rows have.

import { expect, test } from 'vitest';
import { rowsEncoding } from '../../src/formats/encodings/rows.ts';
import { readSafetensors } from '../../src/formats/hf-repository.ts';
import { Random } from '../ref/random.ts';
import { expectBytes } from '../truth.ts';
import { countingSource } from './counting-source.ts';
import { floats, memorySource, type RawTensor, safetensors } from './safetensors-bytes.ts';

const [cols, headRows, nHeads, hidden] = [8192, 96, 4, 2100] as const;
const config = {
  architectures: ['LlamaForCausalLM'],
  ...{ hidden_size: cols, intermediate_size: hidden, num_hidden_layers: 1, num_attention_heads: nHeads },
  ...{ head_dim: headRows, vocab_size: 5, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true },
};
const layer = 'model.layers.0.';
/** Code of the weight in a row and column. */
const codeAt = (row: number, col: number) => (row * 7 + col * 5 + (col >> 6)) % 3;

/** Rows that are no multiple of four would be padded. */
function packed(rows: number, length: number): RawTensor {
  const data = new Uint8Array((rows / 4) * length);
  for (let r = 0, at = 0; r < rows / 4; r++) {
    for (let c = 0; c < length; c++, at++) {
      for (let i = 0; i < 4; i++) data[at]! |= codeAt(r + (i * rows) / 4, c) << (2 * i);
    }
  }
  return { dtype: 'U8', shape: [rows / 4, length], data };
}

const ones = (length: number) => floats('F32', [length], new Float32Array(length).fill(1));
const rowsOf = (rows: number, at: (row: number, col: number) => number) =>
  floats(
    'F32',
    [rows, cols],
    Float32Array.from({ length: rows * cols }, (_, i) => at(Math.floor(i / cols), i % cols)),
  );
const q = nHeads * headRows;

function checkpoint(query: RawTensor, extra: Record<string, RawTensor> = {}) {
  const scale = floats('F32', [1], [1]);
  const linears: Record<string, RawTensor> = {
    'self_attn.k_proj': packed(q, cols),
    'self_attn.v_proj': packed(q, cols),
    'self_attn.o_proj': packed(cols, q),
    'mlp.gate_proj': packed(hidden, cols),
    'mlp.up_proj': packed(hidden, cols),
    'mlp.down_proj': packed(cols, hidden),
  };
  const tensors: Record<string, RawTensor> = {
    'model.embed_tokens.weight': floats('F32', [5, cols], new Float32Array(5 * cols)),
    'model.norm.weight': ones(cols),
    [`${layer}input_layernorm.weight`]: ones(cols),
    [`${layer}post_attention_layernorm.weight`]: ones(cols),
    [`${layer}self_attn.q_proj.weight`]: query,
    ...extra,
  };
  for (const [name, tensor] of Object.entries(linears)) {
    tensors[`${layer}${name}.weight`] = tensor;
    tensors[`${layer}${name}.weight_scale`] = scale;
  }
  return countingSource(memorySource('large', safetensors(tensors)));
}

/** Where a checkpoint has GGUF's row. */
const sourceRow = (row: number) => {
  const within = row % headRows;
  return row - within + (within % 2) * (headRows / 2) + Math.floor(within / 2);
};

test('of floats and of packed bytes, permuted or not, read anywhere', async () => {
  const source = checkpoint(rowsOf(q, (row, col) => row + col / cols));
  const file = await readSafetensors(source, config);
  const of = (name: string) => file.tensors.find((tensor) => tensor.name === `blk.0.${name}.weight`)!;
  const query = of('attn_q');
  const whole = new Float32Array((await file.source.read(query.offsetBytes, query.lengthBytes)).buffer);
  for (let row = 0; row < q; row++) {
    const from = row * cols;
    expect([whole[from], whole[from + 4096], whole[from + 8191]]).toEqual(
      [0, 4096, 8191].map((col) => Math.fround(sourceRow(row) + col / cols)),
    );
  }
  const random = new Random(9);
  for (let i = 0; i < 40; i++) {
    const at = random.int(0, query.lengthBytes - 1);
    const length = random.int(1, Math.min(query.lengthBytes - at, 200_000));
    const got = await file.source.read(query.offsetBytes + at, length);
    expectBytes(got, new Uint8Array(whole.buffer, at, length));
  }
  for (const [name, rows, length] of [
    ['attn_k', q, cols],
    ['ffn_up', hidden, cols],
    ['ffn_down', cols, hidden],
  ] as const) {
    const { offsetBytes, lengthBytes } = of(name);
    const bytes = await file.source.read(offsetBytes, lengthBytes);
    const codes = new Uint8Array(rows * length);
    rowsEncoding(length).decode(bytes, codes.length, codes, new Float32Array(rows));
    let wrong = 0;
    for (let i = 0; i < codes.length; i++) {
      const row = Math.floor(i / length);
      if (codes[i] !== codeAt(name === 'attn_k' ? sourceRow(row) : row, i % length)) wrong++;
    }
    expect(wrong, name).toBe(0);
  }
  // Nothing is read that is larger than a piece and a head.
  expect(source.reads.reduce((most, { lengthBytes }) => Math.max(most, lengthBytes), 0)).toBeLessThanOrEqual(4 << 20);
  expect(source.reads.length).toBeGreaterThan(20);
});

test('masters and ternary floats', async () => {
  const settings = { quant_method: 'bitnet' };
  // Dense in its last row only: masters, whose mean is that of all rows.
  const at = (row: number, col: number) => (row === q - 1 ? 3 + (col % 2) : 2 * (codeAt(row, col) - 1));
  const masters = await readSafetensors(checkpoint(rowsOf(q, at)), { ...config, quantization_config: settings });
  const ternary = await readSafetensors(checkpoint(rowsOf(q, (row, col) => 2 * (codeAt(row, col) - 1))), config);
  let sum = 0;
  for (let row = 0; row < q; row++) for (let col = 0; col < cols; col++) sum += Math.abs(at(row, col));
  for (const [file, scale] of [
    [masters, Math.fround(sum / (q * cols))],
    [ternary, 2],
  ] as const) {
    const { offsetBytes, lengthBytes, encoding } = file.tensors.find(({ name }) => name === 'blk.0.attn_q.weight')!;
    expect(encoding.name).toBe('ternary rows');
    const codes = new Uint8Array(q * cols);
    const scales = new Float32Array(q);
    rowsEncoding(cols).decode(await file.source.read(offsetBytes, lengthBytes), codes.length, codes, scales);
    expect(new Set(scales)).toEqual(new Set([scale]));
    let wrong = 0;
    for (let i = 0; i < codes.length; i++) {
      const row = sourceRow(Math.floor(i / cols));
      const expected = file === masters && row === q - 1 ? 2 : codeAt(row, i % cols);
      if (codes[i] !== expected) wrong++;
    }
    expect(wrong).toBe(0);
  }
});

test.each([
  [7, 7],
  [12, 12],
  [256, 128],
  [130, 65],
])('the encoding, rows of %i with a scale for each %i', (cols, scaleElems) => {
  const encoding = rowsEncoding(cols, scaleElems);
  const rows = 3;
  const random = new Random(cols);
  const codes = Uint8Array.from({ length: rows * cols }, () => random.int(0, 2));
  const scales = Float32Array.from({ length: (rows * cols) / scaleElems }, () => random.next());
  expect(encoding.blockBytes).toBe(Math.ceil(cols / 4) + (4 * cols) / scaleElems);
  // At an odd address, and among other bytes.
  const buffer = new Uint8Array(1 + rows * encoding.blockBytes + 3).fill(0xee);
  const bytes = buffer.subarray(1, 1 + rows * encoding.blockBytes);
  encoding.encode!(codes, scales, rows * cols, bytes);
  expect([buffer[0], buffer.at(-3)]).toEqual([0xee, 0xee]);
  expect(bytes[0]).toBe(codes[0]! + codes[1]! * 4 + codes[2]! * 16 + codes[3]! * 64);
  const got = new Uint8Array(1 + rows * cols);
  const gotScales = new Float32Array(scales.length);
  encoding.decode(bytes, rows * cols, got.subarray(1), gotScales);
  expectBytes(got.subarray(1), codes);
  expect(gotScales).toEqual(scales);

  const last = cols - 1;
  const three = bytes.slice();
  three[encoding.blockBytes + (last >> 2)]! |= 3 << (2 * (last % 4));
  const decode = (data: Uint8Array) => () => encoding.decode(data, rows * cols, new Uint8Array(rows * cols), gotScales);
  expect(decode(three)).toThrow('ternary rows: the data holds a code 3, expected 0, 1 or 2');
  const infinite = bytes.slice();
  infinite.set([0, 0, 0x80, 0x7f], encoding.blockBytes - 4);
  expect(decode(infinite)).toThrow('ternary rows: the data holds a scale that is infinite or not a number');
});
