// Decoders against bytes written by other programs.

import { createHash } from 'node:crypto';
import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { encodingById, encodingByName, encodings } from '../../src/formats/encodings/index.ts';
import { f16Table, toF16Bits } from '../../src/formats/f16.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { Encoding, TernaryEncoding } from '../../src/formats/types.ts';
import { truthFolder } from '../truth.ts';

interface Golden {
  id: number;
  hex: string;
  values: number[];
}
const golden = JSON.parse(readFileSync(new URL('../golden/encodings/blocks.json', import.meta.url), 'utf8')) as Record<
  string,
  Golden
>;

/** At an odd address, as data in a file may be. */
function unaligned(bytes: Uint8Array): Uint8Array {
  const out = new Uint8Array(bytes.length + 1).subarray(1);
  out.set(bytes);
  return out;
}

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));

/** Any encoding to f32. */
function dequantise(encoding: Encoding, bytes: Uint8Array, elems: number): Float32Array {
  const out = new Float32Array(elems);
  if (encoding.family === 'dense') {
    encoding.decode(bytes, elems, out);
    return out;
  }
  const codes = new Uint8Array(elems);
  const run = encoding.scaleElems === 'tensor' ? elems : encoding.scaleElems;
  const scales = new Float32Array(elems / run);
  encoding.decode(bytes, elems, codes, scales);
  if (encoding.tensorScale) scales[0] = encoding.tensorScale(bytes.subarray(bytes.length - encoding.trailerBytes!));
  for (let i = 0; i < elems; i++) out[i] = (codes[i]! - 1) * scales[Math.floor(i / run)]!;
  return out;
}

test('look-up by id and name', () => {
  for (const encoding of encodings) {
    expect(encodingById(encoding.id)).toBe(encoding);
    expect(encodingByName(encoding.name)).toBe(encoding);
  }
  expect(encodingById(2)).toBeUndefined();
  expect(encodingByName('constructor')).toBeUndefined();
});

test.each(['Q8_0', 'Q6_K', 'TQ1_0'])('golden block of %s', (name) => {
  const { id, hex, values } = golden[name]!;
  const encoding = encodingById(id)!;
  expect(encoding.name).toBe(name);
  const bytes = unaligned(fromHex(hex));
  expect(bytes.length).toBe(encoding.blockBytes);
  expect(values.length).toBe(encoding.blockElems);
  // The values were printed with eight digits.
  const got = dequantise(encoding, bytes, values.length);
  values.forEach((value, i) => {
    expect(Math.abs(got[i]! - value), `element ${i}`).toBeLessThanOrEqual(Math.abs(value) * 1e-7);
  });
});

test.each(['Q8_0', 'Q6_K'])('%s as i8 and scales is the same numbers', (name) => {
  const encoding = encodingByName(name)!;
  if (encoding.family !== 'dense') throw new Error();
  const elems = encoding.blockElems * 2;
  const block = fromHex(golden[name]!.hex);
  const bytes = new Uint8Array([...block, ...block.map((byte, i) => (i < 16 || i > 191 ? byte : byte ^ 0x5a))]);
  const q = new Int8Array(elems);
  const scales = new Float32Array(elems / encoding.i8ScaleElems!);
  encoding.decodeI8!(unaligned(bytes), elems, q, scales);
  const expected = dequantise(encoding, bytes, elems);
  const got = Float32Array.from(q, (value, i) => value * scales[Math.floor(i / encoding.i8ScaleElems!)]!);
  expect(got).toEqual(expected);
});

test('golden block of TQ2_0, which holds codes 3: refused, after it has been unpacked', () => {
  const { hex, values } = golden.TQ2_0!;
  const encoding = encodingByName('TQ2_0') as TernaryEncoding;
  const codes = new Uint8Array(256);
  const scales = new Float32Array(1);
  expect(() => encoding.decode(unaligned(fromHex(hex)), 256, codes, scales)).toThrow(
    'TQ2_0: the data holds a code 3, expected 0, 1 or 2; the file is damaged or is not really TQ2_0',
  );
  const got = Array.from(codes, (code) => (code - 1) * scales[0]!);
  values.forEach((value, i) => {
    expect(got[i]).toBeCloseTo(value, 6);
  });
});

test('golden matrix of I2_S', () => {
  const { scale, layoutA_128x32_hex, ternary } = golden.I2_S as unknown as {
    scale: number;
    layoutA_128x32_hex: string;
    ternary: number[] | number[][];
  };
  const bytes = unaligned(fromHex(layoutA_128x32_hex));
  const encoding = encodingByName('I2_S') as TernaryEncoding;
  const codes = new Uint8Array(1024);
  encoding.decode(bytes, 1024, codes, new Float32Array(0));
  expect(Array.from(codes, (code) => code - 1)).toEqual(ternary.flat());
  if (bytes.length > 256) expect(encoding.tensorScale!(bytes.subarray(256))).toBe(scale);
});

test.each([Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY])('a scale of %s is refused', (scale) => {
  const i2s = encodingByName('I2_S') as TernaryEncoding;
  const trailer = new Uint8Array(33).subarray(1);
  new DataView(trailer.buffer, 1).setFloat32(0, scale, true);
  expect(() => i2s.tensorScale!(trailer)).toThrow(`I2_S: the tensor's scale is ${scale}, expected a finite number`);
  for (const [name, at] of [
    ['TQ2_0', 64],
    ['TQ1_0', 52],
  ] as const) {
    const encoding = encodingByName(name) as TernaryEncoding;
    const bytes = new Uint8Array(encoding.blockBytes * 2);
    new DataView(bytes.buffer).setUint16(at, toF16Bits(scale), true);
    const decode = () => encoding.decode(bytes, 512, new Uint8Array(512), new Float32Array(2));
    expect(decode).toThrow('holds a scale that is infinite or not a number');
  }
});

test('one code 3 anywhere in I2_S is refused', () => {
  const i2s = encodingByName('I2_S') as TernaryEncoding;
  for (let bit = 0; bit < 512; bit += 2) {
    const bytes = new Uint8Array(64).fill(0b10_01_00_10);
    bytes[bit >> 3] = 3 << (bit & 7);
    expect(() => i2s.decode(bytes, 256, new Uint8Array(256), new Float32Array(0))).toThrow(
      'I2_S: the data holds a code 3',
    );
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
  if (!dequantSha256 || /\.Q[12]_0\.gguf$/.test(file)) continue;
  test(`weights of ${file}`, async () => {
    const bytes = readFileSync(new URL(file, folder));
    const { tensors } = await readGguf(bytesSource(bytes, file));
    for (const [tensorName, expected] of Object.entries(dequantSha256)) {
      const tensor = tensors.find((t) => t.name === tensorName)!;
      const data = bytes.subarray(tensor.offsetBytes, tensor.offsetBytes + tensor.lengthBytes);
      const elems = tensor.dims.reduce((a, b) => a * b);
      const values = dequantise(tensor.encoding, data, elems);
      const hash = createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex');
      expect(hash, `${tensorName} ${tensor.encoding.name}`).toBe(expected);
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
