// Decoders against bytes written by other programs.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { encodingById, encodingByName, encodings } from '../../src/formats/encodings/index.ts';
import { f16Table, toF16Bits } from '../../src/formats/f16.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { BinaryEncoding, DenseEncoding, Encoding, TernaryEncoding } from '../../src/formats/types.ts';
import { truthFolder } from '../truth.ts';

interface Golden {
  id: number;
  hex: string;
  values: number[];
}
const goldenJson = (name: string) =>
  JSON.parse(readFileSync(new URL(`../golden/encodings/${name}`, import.meta.url), 'utf8'));
const golden: Record<string, Golden> = goldenJson('blocks.json');
const decoded: Record<string, { elems: number; hex: string; sha256: string }> = goldenJson('gguf-python.json').decoded;

/** At an odd address, as data in a file may be. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 1).subarray(1);
  out.set(bytes);
  return out;
}

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
const sha256 = (values: Float32Array) =>
  createHash('sha256')
    .update(new Uint8Array(values.buffer, values.byteOffset, values.byteLength))
    .digest('hex');

/** What an encoding that is not dense makes of its bytes, and the error if there was one. */
function unpack(encoding: TernaryEncoding | BinaryEncoding, bytes: Uint8Array, elems: number) {
  const run = encoding.scaleElems === 'tensor' ? elems : encoding.scaleElems;
  const scales = new Float32Array(elems / run);
  const weights = new Int8Array(elems);
  const packed = new Uint8Array(encoding.family === 'binary' ? elems / 8 : elems);
  let error: unknown;
  try {
    encoding.decode(bytes, elems, packed, scales);
  } catch (e) {
    error = e;
  }
  if (encoding.family === 'ternary' && encoding.tensorScale)
    scales[0] = encoding.tensorScale(bytes.subarray(bytes.length - encoding.trailerBytes!));
  for (let i = 0; i < elems; i++)
    weights[i] = encoding.family === 'binary' ? (packed[i >> 3]! >> (i & 7)) & 1 || -1 : packed[i]! - 1;
  return { values: Float32Array.from(weights, (weight, i) => weight * scales[Math.floor(i / run)]!), error };
}

/** Any encoding to f32. */
function dequantise(encoding: Encoding, bytes: Uint8Array, elems: number): Float32Array {
  if (encoding.family !== 'dense') {
    const { values, error } = unpack(encoding, bytes, elems);
    if (error) throw error;
    return values;
  }
  const out = new Float32Array(elems);
  encoding.decode(bytes, elems, out);
  return out;
}

test('look-up by id and name', () => {
  for (const encoding of encodings) {
    expect(encodingById(encoding.id)).toBe(encoding);
    expect(encodingByName(encoding.name)).toBe(encoding);
  }
  expect(encodingById(42)).toMatchObject({ name: 'Q2_0', blockElems: 64, blockBytes: 18 });
  expect(encodingByName('Q2_0 (128)')).toMatchObject({ id: 42, blockElems: 128, blockBytes: 34 });
  expect(encodingById(15)).toBeUndefined();
  expect(encodingByName('constructor')).toBeUndefined();
});

test('every golden block is read', () => {
  const names = Object.keys(golden);
  expect(names.length).toBeGreaterThanOrEqual(17);
  for (const name of names) {
    const { id, blockElems, blockBytes } = encodingByName(name)!;
    expect(id, name).toBe(golden[name]!.id);
    if (name !== 'I2_S') expect(golden[name], name).toMatchObject({ blockElems, blockBytes });
  }
});

// The values were printed with eight digits.
function expectValues(got: Float32Array, values: readonly number[]): void {
  values.forEach((value, i) => {
    expect(Math.abs(got[i]! - value), `element ${i}`).toBeLessThanOrEqual(Math.abs(value) * 1e-7);
  });
}

const holdThrees = ['TQ2_0', 'Q2_0', 'PQ2_0'];
const sound = Object.keys(golden).filter((name) => name !== 'I2_S' && !holdThrees.includes(name));

test.each(sound)('golden block of %s', (name) => {
  const { hex, values } = golden[name]!;
  const encoding = encodingByName(name)!;
  expectValues(dequantise(encoding, unaligned(fromHex(hex)), values.length), values);
});

test.each(Object.keys(decoded))('many blocks of %s, bit by bit', (name) => {
  const { elems, hex, sha256: expected } = decoded[name]!;
  expect(sha256(dequantise(encodingByName(name)!, unaligned(fromHex(hex)), elems))).toBe(expected);
});

test.each(holdThrees)('golden block of %s, which holds codes 3: refused, after it has been unpacked', (name) => {
  const { hex, values } = golden[name]!;
  const encoding = encodingByName(name) as TernaryEncoding;
  const got = unpack(encoding, unaligned(fromHex(hex)), values.length);
  expectValues(got.values, values);
  const cure = name === 'TQ2_0' ? 'the file is damaged or is not really' : 'the model is not a ternary one';
  expect(() => {
    throw got.error;
  }).toThrow(`${name}: the data holds a code 3, expected 0, 1 or 2; ${cure}`);
});

test('Q2_0 in groups of 128 is PQ2_0 under another id', () => {
  const bytes = fromHex(golden.PQ2_0!.hex).map((byte) => byte & 0xaa); // codes 0 and 2
  const of = (name: string) => dequantise(encodingByName(name)!, bytes, 128);
  expect(of('Q2_0 (128)')).toEqual(of('PQ2_0'));
});

const withI8 = encodings.filter((encoding) => encoding.family === 'dense' && encoding.decodeI8);
test.each(withI8.map(({ name }) => name))('%s as i8 and scales is the same numbers', (name) => {
  const encoding = encodingByName(name) as DenseEncoding;
  const { elems, hex } = decoded[name]!;
  const bytes = unaligned(fromHex(hex));
  const q = new Int8Array(elems);
  const scales = new Float32Array(elems / encoding.i8ScaleElems!);
  encoding.decodeI8!(bytes, elems, q, scales);
  const got = Float32Array.from(q, (value, i) => value * scales[Math.floor(i / encoding.i8ScaleElems!)]!);
  expect(got).toEqual(dequantise(encoding, bytes, elems));
});

test('Q8_0, Q6_K, Q5_0, Q4_0 and Q3_K can be had as i8', () => {
  const runs = Object.fromEntries(withI8.map((encoding) => [encoding.name, (encoding as DenseEncoding).i8ScaleElems]));
  expect(runs).toEqual({ Q8_0: 32, Q6_K: 16, Q5_0: 32, Q4_0: 32, Q3_K: 16 });
});

test('decoding writes no more than the elements asked for', () => {
  for (const encoding of encodings) {
    const elems = encoding.blockElems;
    const bytes = new Uint8Array(encoding.blockBytes * 2);
    if (encoding.family === 'dense') {
      const out = new Float32Array(2 * elems).fill(7);
      encoding.decode(bytes, elems, out);
      expect(out.subarray(elems).every((value) => value === 7)).toBe(true);
      continue;
    }
    const codes = new Uint8Array(2 * elems).fill(7);
    encoding.decode(bytes, elems, codes, new Float32Array(1));
    const used = encoding.family === 'binary' ? elems / 8 : elems;
    expect(codes.subarray(used).every((value) => value === 7)).toBe(true);
  }
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('a scale of %s is refused', (scale) => {
  const i2s = encodingByName('I2_S') as TernaryEncoding;
  const trailer = new Uint8Array(33).subarray(1);
  new DataView(trailer.buffer, 1).setFloat32(0, scale, true);
  expect(() => i2s.tensorScale!(trailer)).toThrow(`I2_S: the tensor's scale is ${scale}, expected a finite number`);
  for (const [name, at] of [
    ['TQ2_0', 64],
    ['TQ1_0', 52],
    ['Q2_0', 0],
    ['Q2_0 (128)', 0],
    ['PQ2_0', 0],
    ['PTQ1_0', 26],
    ['Q1_0', 0],
  ] as const) {
    const encoding = encodingByName(name) as TernaryEncoding | BinaryEncoding;
    const elems = 2 * encoding.blockElems;
    for (const block of [0, 1]) {
      const bytes = new Uint8Array(encoding.blockBytes * 2);
      new DataView(bytes.buffer).setUint16(at + block * encoding.blockBytes, toF16Bits(scale), true);
      const decode = () => encoding.decode(bytes, elems, new Uint8Array(elems), new Float32Array(2));
      expect(decode).toThrow(`${name}: the data holds a scale that is infinite or not a number`);
    }
  }
});

test.each(['Q2_0', 'Q2_0 (128)', 'PQ2_0', 'TQ2_0'])('one code 3 anywhere in %s is refused', (name) => {
  const encoding = encodingByName(name) as TernaryEncoding;
  const scaleAt = name === 'TQ2_0' ? 64 : 0;
  const elems = 2 * encoding.blockElems;
  for (let bit = 0; bit < 16 * encoding.blockBytes; bit += 2) {
    const at = (bit >> 3) % encoding.blockBytes;
    if (at === scaleAt || at === scaleAt + 1) continue;
    const bytes = new Uint8Array(2 * encoding.blockBytes).fill(0b10_01_00_10);
    bytes[bit >> 3] = 3 << (bit & 7);
    expect(() => encoding.decode(bytes, elems, new Uint8Array(elems), new Float32Array(2))).toThrow('holds a code 3');
  }
});

test('halves are exact, there and back', () => {
  const table = f16Table();
  expect([0x0001, 0x03ff, 0x0400, 0x3c00, 0x7bff, 0xfc00, 0x8000].map((bits) => table[bits])).toEqual([
    2 ** -24,
    1023 * 2 ** -24,
    2 ** -14,
    1,
    65504,
    Number.NEGATIVE_INFINITY,
    -0,
  ]);
  expect(table[0x7c01]).toBeNaN();
  for (let bits = 0; bits < 65536; bits++) {
    if (!Number.isNaN(table[bits]!)) expect(toF16Bits(table[bits]!)).toBe(bits);
  }
  // Halfway to the next: to even. A little more: up.
  expect(toF16Bits(1 + 2 ** -11)).toBe(0x3c00);
  expect(toF16Bits(1 + 3 * 2 ** -11)).toBe(0x3c02);
  expect(toF16Bits(1 + 2 ** -11 + 2 ** -30)).toBe(0x3c01);
  expect(toF16Bits(65520)).toBe(0x7c00);
  expect(toF16Bits(2 ** -25)).toBe(0);
});

test('BF16 is the upper half of an f32, at odd addresses too', () => {
  const bytes = unaligned(new Uint8Array([0x80, 0x3f, 0x01, 0x80, 0x80, 0xff]));
  const out = new Float32Array(3);
  encodingByName('BF16')!.decode(bytes, 3, out as never, out);
  expect([...out]).toEqual([1, -(2 ** -133), Number.NEGATIVE_INFINITY]);
});

const folder = truthFolder('models');
for (const name of folder ? readdirSync(folder).filter((entry) => entry.endsWith('.expected.json')) : []) {
  const { file, dequantSha256 } = JSON.parse(readFileSync(new URL(name, folder), 'utf8')) as {
    file: string;
    dequantSha256?: Record<string, string>;
  };
  if (!dequantSha256) continue;
  test(`weights of ${file}`, async () => {
    const bytes = readFileSync(new URL(file, folder));
    const { tensors } = await readGguf(bytesSource(bytes, file));
    for (const [tensorName, expected] of Object.entries(dequantSha256)) {
      const tensor = tensors.find((t) => t.name === tensorName)!;
      const data = bytes.subarray(tensor.offsetBytes, tensor.offsetBytes + tensor.lengthBytes);
      const elems = tensor.dims.reduce((a, b) => a * b);
      const values = dequantise(tensor.encoding, data, elems);
      expect(sha256(values), `${tensorName} ${tensor.encoding.name}`).toBe(expected);
    }
  });
}

test.skipIf(!folder)("bitnet.cpp's Q6_K embedding is the F16 one of the same model, to six bits", async () => {
  const embedding = async (file: string) => {
    const bytes = readFileSync(new URL(file, folder));
    const { tensors } = await readGguf(bytesSource(bytes, file));
    const { encoding, offsetBytes, lengthBytes, dims } = tensors.find((t) => t.name === 'token_embd.weight')!;
    const data = bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    return { name: encoding.name, values: dequantise(encoding, data, dims[0]! * dims[1]!) };
  };
  const half = await embedding('llama3-bpe2k.I2_S.gguf');
  const six = await embedding('llama3-bpe2k.I2_S-q6k.gguf');
  expect([half.name, six.name]).toEqual(['F16', 'Q6_K']);
  let error = 0;
  let power = 0;
  for (const [i, value] of half.values.entries()) {
    error += (six.values[i]! - value) ** 2;
    power += value ** 2;
  }
  expect(Math.sqrt(error / power)).toBeLessThan(0.03);
});
