// The bytes of synthetic models: valid, reproducible, and numbers that a forward pass can live with.

import { expect, test } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import { syntheticNames } from '../../src/formats/synthetic-names.ts';
import type { ByteSource, TensorInfo } from '../../src/formats/types.ts';
import { expectBytes } from '../truth.ts';

/** The numbers that `elems` weights of a tensor stand for, from `bytes`. */
function decoded({ encoding }: TensorInfo, bytes: Uint8Array, elems: number, trailer: Uint8Array): Float32Array {
  const numbers = new Float32Array(elems);
  if (encoding.family === 'dense') {
    encoding.decode(bytes, elems, numbers);
    return numbers;
  }
  const group = encoding.scaleElems === 'tensor' ? elems : encoding.scaleElems;
  const scales = new Float32Array(elems / group);
  if (encoding.family === 'binary') {
    const bits = new Uint8Array(elems / 8);
    encoding.decode(bytes, elems, bits, scales);
    return numbers.map((_, i) => scales[Math.floor(i / group)]! * (bits[i >> 3]! & (1 << (i & 7)) ? 1 : -1));
  }
  const codes = new Uint8Array(elems);
  encoding.decode(bytes, elems, codes, scales);
  if (encoding.tensorScale) scales[0] = encoding.tensorScale(trailer);
  return numbers.map((_, i) => scales[Math.floor(i / group)]! * (codes[i]! - 1));
}

/** Rows of a tensor, from row `first` on. */
async function rowsOf(source: ByteSource, tensor: TensorInfo, first: number, count: number): Promise<Float32Array> {
  const { encoding, dims, offsetBytes, lengthBytes } = tensor;
  const rowBytes = (dims[0]! / encoding.blockElems) * encoding.blockBytes;
  const bytes = await source.read(offsetBytes + first * rowBytes, count * rowBytes);
  const trailer = await source.read(offsetBytes + lengthBytes - 32, 32);
  return decoded(tensor, bytes, dims[0]! * count, trailer);
}

test.each(syntheticNames)('%s has weights that keep the size of activations', async (name) => {
  const source = syntheticModel(name);
  const { tensors } = await readGguf(source);
  await checkSamples(source, tensors);
});

/** Some rows of some tensors can be decoded, and the squares of a row's weights come to about 1. */
async function checkSamples(source: ByteSource, tensors: readonly TensorInfo[]): Promise<void> {
  const step = Math.ceil(tensors.length / 40);
  for (const tensor of tensors.filter((_, i) => i % step === 0 || i === tensors.length - 1)) {
    const [cols = 1, rows = 1] = tensor.dims;
    // Four rows are whole blocks of I2_S, whatever their length.
    const count = Math.min(4, rows);
    for (const first of [0, rows - count]) {
      const numbers = await rowsOf(source, tensor, first, count);
      const top = numbers.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      expect(top, tensor.name).toBeGreaterThan(0);
      expect(top, tensor.name).toBeLessThanOrEqual(4);
      if (tensor.encoding.family === 'dense') continue;
      for (let row = 0; row < count; row++) {
        const squares = numbers.subarray(row * cols, (row + 1) * cols).reduce((n, value) => n + value * value, 0);
        expect(squares, tensor.name).toBeGreaterThan(0.7);
        expect(squares, tensor.name).toBeLessThan(1.4);
      }
    }
  }
}

test.each(['tiny', 'bitnet-2b-4t', 'bonsai-1.7b'])(
  'the vocabulary of %s is complete and says each once',
  async (name) => {
    const { metadata } = await readGguf(syntheticModel(name));
    const tokens = metadata.strings('tokenizer.ggml.tokens')!;
    const known = new Set(Array.from({ length: tokens.length }, (_, i) => tokens.get(i)));
    expect(known.size).toBe(tokens.length);
    const merges = metadata.strings('tokenizer.ggml.merges')!;
    for (let i = 0; i < merges.length; i++) {
      const [left, right] = merges.get(i).split(' ');
      for (const token of [left!, right!, left! + right!]) expect(known.has(token), token).toBe(true);
    }
    expect(metadata.integers('tokenizer.ggml.token_type')![metadata.integer('tokenizer.ggml.eos_token_id')!]).toBe(3);
  },
);

test.each([...(['I2_S', 'TQ2_0', 'TQ1_0', 'Q1_0', 'Q2_0', 'PQ2_0'] as const)])(
  'the weights in %s are valid and mixed',
  async (encoding) => {
    const source = syntheticModel('tiny', { encoding });
    const { tensors } = await readGguf(source);
    const seen = new Set<string>();
    let rows = 0;
    for (const tensor of tensors) {
      if (tensor.encoding.family === 'dense') continue;
      expect(tensor.encoding.name).toBe(encoding);
      const numbers = await rowsOf(source, tensor, 0, tensor.dims[1]!);
      const share = (sign: number) => numbers.reduce((n, value) => n + Number(Math.sign(value) === sign), 0);
      for (const sign of [-1, 1]) expect(share(sign) / numbers.length).toBeGreaterThan(0.3);
      const zeros = share(0) / numbers.length;
      if (encoding === 'Q1_0') expect(zeros).toBe(0);
      else expect(zeros).toBeGreaterThan(0.15);
      for (let row = 0; row < numbers.length; row += tensor.dims[0]!, rows++)
        seen.add(
          numbers
            .subarray(row, row + 64)
            .map(Math.sign)
            .join(''),
        );
    }
    expect(seen.size).toBeGreaterThan(0.6 * rows); // few rows are the same, in any two tensors
  },
);

test.each(['bonsai-1.7b', 'ternary-bonsai-1.7b'])('no two rows of the head of %s are the same', async (name) => {
  const source = syntheticModel(name);
  const { tensors } = await readGguf(source);
  const { dims, encoding, offsetBytes, lengthBytes } = tensors[0]!;
  const rowBytes = (dims[0]! / encoding.blockElems) * encoding.blockBytes;
  const bytes = Buffer.from(await source.read(offsetBytes, lengthBytes));
  const rows = new Set(
    Array.from({ length: dims[1]! }, (_, row) => bytes.toString('latin1', row * rowBytes, row * rowBytes + 18)),
  );
  expect(rows.size).toBe(dims[1]);
});

test('groups within a row have scales of their own, as trained ones do', async () => {
  for (const encoding of ['Q1_0', 'Q2_0', 'PQ2_0'] as const) {
    const source = syntheticModel('tiny', { encoding });
    const { tensors } = await readGguf(source);
    const row = await rowsOf(source, tensors.find(({ name }) => name === 'blk.1.ffn_down.weight')!, 7, 1);
    const group = encoding === 'Q2_0' ? 64 : 128;
    const scales = new Set(row.map(Math.abs).filter((value) => value > 0));
    expect(scales.size).toBe(512 / group);
  }
});

test('TriLM has one scale in the first half of the rows and one in the second', async () => {
  const source = syntheticModel('trilm-99m');
  const { metadata, tensors } = await readGguf(source);
  expect(metadata.string('general.name')).toBe('synthetic TriLM 99M');
  const tensor = tensors.find(({ name }) => name === 'blk.3.ffn_gate.weight')!;
  const scalesIn = async (first: number) =>
    new Set((await rowsOf(source, tensor, first, 640)).map(Math.abs).filter((value) => value > 0));
  const [first, second] = [await scalesIn(0), await scalesIn(640)];
  expect([first.size, second.size]).toEqual([1, 1]);
  expect([...second][0]! / [...first][0]!).toBeCloseTo(1.1, 2);
});

test('what a BitMamba state lives of is in the range of trained models', async () => {
  const source = syntheticModel('bitmamba2-255m');
  const { tensors } = await readGguf(source);
  const range = async (part: string) => {
    const tensor = tensors.find(({ name }) => name === `blk.5.ssm_${part}`)!;
    const numbers = await rowsOf(source, tensor, 0, tensor.dims[1] ?? 1);
    return [Math.min(...numbers), Math.max(...numbers)] as const;
  };
  const within = async (part: string, low: number, high: number) => {
    const [min, max] = await range(part);
    expect(min, part).toBeGreaterThanOrEqual(low);
    expect(max, part).toBeLessThanOrEqual(high);
    expect(max - min, part).toBeGreaterThan(0.6 * (high - low));
  };
  await within('a', 0, 2.7726); // log(1) to log(16)
  await within('dt.bias', -4, -2);
  await within('d', 0.9, 1.1);
  await within('conv1d.weight', -0.5, 0.5);
  await within('conv1d.bias', -0.1, 0.1);
});

test.each(['I2_S', 'TQ1_0', 'Q1_0', 'Q2_0'] as const)('%s: the same bytes however they are read', async (encoding) => {
  const source = syntheticModel('tiny', { encoding });
  const whole = await source.read(0, source.byteLength!);
  expectBytes(await syntheticModel('tiny', { encoding }).read(0, source.byteLength!), whole);
  const other = await syntheticModel('tiny', { encoding, seed: 2 }).read(0, source.byteLength!);
  expect(Buffer.compare(other, whole)).not.toBe(0);
  await expectSameInPieces(source, 0, whole);
});

test('the same bytes across the border of two shards', async () => {
  const source = syntheticModel('trilm-99m');
  const { offsetBytes, lengthBytes } = (await readGguf(source)).tensors[4]!;
  const from = offsetBytes + lengthBytes / 2 - 20_000;
  await expectSameInPieces(source, from, await source.read(from, 40_000));
});

async function expectSameInPieces(source: ByteSource, from: number, whole: Uint8Array): Promise<void> {
  for (let at = 0, step = 1; at < whole.length; at += step, step = (step * 7 + 1) % 9973) {
    const length = Math.min(step, whole.length - at);
    expectBytes(await source.read(from + at, length), whole.subarray(at, at + length));
  }
}

test('what is not there is named', () => {
  expect(() => syntheticModel('gpt-4')).toThrow('synthetic: no model "gpt-4", expected one of tiny, bitnet-2b-4t,');
  expect(() => syntheticModel('constructor')).toThrow('no model "constructor"');
  expect(() => syntheticModel('tiny', { encoding: 'Q4_0' as never })).toThrow(
    'synthetic: encoding Q4_0, expected one of I2_S, TQ1_0, TQ2_0, Q1_0, Q2_0, PQ2_0',
  );
  expect(() => syntheticModel('bitnet-3b', { encoding: 'TQ2_0' })).toThrow(
    'gguf: blk.0.attn_q.weight is [3200, 3200], expected rows of a multiple of 256 for TQ2_0',
  );
  expect(() => syntheticModel('bitnet-3b', { encoding: 'Q1_0' })).toThrow(
    'gguf: blk.0.ffn_down.weight is [8640, 3200], expected rows of a multiple of 128 for Q1_0',
  );
});
