// Encoders: the inverses of the decoders, and the same bytes as other programs write.

import { readdirSync, readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { f16 } from '../../src/formats/encodings/f16.ts';
import { halfOfBits } from '../../src/formats/encodings/halves.ts';
import { encodingByName, encodings } from '../../src/formats/encodings/index.ts';
import { f16Table, toF16Bits } from '../../src/formats/f16.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { DenseEncoding, TernaryEncoding } from '../../src/formats/types.ts';
import { expectBytes, truthFolder } from '../truth.ts';

const golden = JSON.parse(readFileSync(new URL('../golden/encodings/gguf-python.json', import.meta.url), 'utf8')) as {
  numbers: string;
  encoded: Record<string, string>;
};

const fromHex = (hex: string) => Uint8Array.from(hex.match(/../g)!, (pair) => Number.parseInt(pair, 16));
const dense = (name: string) => encodingByName(name) as DenseEncoding;
const ternary = (name: string) => encodingByName(name) as TernaryEncoding;
const bytesFor = ({ blockElems, blockBytes }: DenseEncoding | TernaryEncoding, elems: number) =>
  new Uint8Array((elems / blockElems) * blockBytes + 1).subarray(1); // at an odd address

function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return (state + 0.5) / 2 ** 32;
  };
}

function normal(count: number, deviation: number): Float32Array {
  const next = random(3);
  return Float32Array.from(
    { length: count },
    () => deviation * Math.sqrt(-2 * Math.log(next())) * Math.cos(2 * Math.PI * next()),
  );
}

function there(encoding: DenseEncoding, numbers: Float32Array): Uint8Array {
  const bytes = bytesFor(encoding, numbers.length);
  encoding.encode!(numbers, numbers.length, bytes);
  return bytes;
}

function back(encoding: DenseEncoding, bytes: Uint8Array, elems: number): Float32Array {
  const out = new Float32Array(elems);
  encoding.decode(bytes, elems, out);
  return out;
}

function relativeError(got: Float32Array, expected: Float32Array): number {
  let error = 0;
  let power = 0;
  for (const [i, value] of expected.entries()) {
    error += (got[i]! - value) ** 2;
    power += value ** 2;
  }
  return Math.sqrt(error / power);
}

test('what can be written', () => {
  const names = encodings.filter((encoding) => encoding.family !== 'binary' && encoding.encode).map(({ name }) => name);
  expect(names.sort()).toEqual(['BF16', 'F16', 'F32', 'I2_S', 'Q6_K', 'Q8_0', 'TQ1_0', 'TQ2_0']);
});

test.each(['F16', 'BF16', 'Q8_0'])('%s, the bytes of another program', (name) => {
  const numbers = new Float32Array(fromHex(golden.numbers).buffer);
  expectBytes(there(dense(name), numbers), fromHex(golden.encoded[name]!));
});

test.each(['TQ1_0', 'TQ2_0'])('%s, there and back, the bytes of another program', (name) => {
  const encoding = ternary(name);
  const codes = new Uint8Array(512);
  const scales = new Float32Array(2);
  encoding.decode(fromHex(golden.encoded[name]!), 512, codes, scales);
  const bytes = bytesFor(encoding, 512);
  encoding.encode!(codes, scales, 512, bytes);
  expectBytes(bytes, fromHex(golden.encoded[name]!));
});

test.each(['TQ1_0', 'TQ2_0', 'I2_S'])('%s: what was encoded is decoded', (name) => {
  const encoding = ternary(name);
  const elems = 256 * 64;
  const next = random(5);
  const codes = Uint8Array.from({ length: elems + 3 }, () => Math.floor(3 * next())).subarray(3);
  const halves = [0, -0, 2 ** -24, -0.5, 65504, 0.0173];
  const scales = Float32Array.from({ length: 64 }, (_, i) => f16Table()[toF16Bits(halves[i % 6]!)]!);
  const bytes = bytesFor(encoding, elems).fill(255);
  encoding.encode!(codes, scales, elems, bytes);
  const gotCodes = new Uint8Array(elems);
  const gotScales = new Float32Array(64);
  encoding.decode(bytes, elems, gotCodes, gotScales);
  expectBytes(gotCodes, codes);
  if (encoding.scaleElems !== 'tensor') expect(gotScales).toEqual(scales); // tells 0 from -0
});

test.each(['TQ1_0', 'TQ2_0', 'I2_S'])('%s refuses a code above 2, wherever it is', (name) => {
  const encoding = ternary(name);
  const bytes = bytesFor(encoding, 256);
  for (const wrong of [3, 4, 7, 128, 255]) {
    for (let i = 0; i < 256; i++) {
      const codes = new Uint8Array(256).fill(2);
      codes[i] = wrong;
      expect(() => encoding.encode!(codes, new Float32Array(1), 256, bytes)).toThrow('is above 2, expected 0, 1 or 2');
    }
  }
});

test('scales are rounded to the nearest half, and refused where there is none', () => {
  for (const name of ['TQ1_0', 'TQ2_0']) {
    const encoding = ternary(name);
    const bytes = bytesFor(encoding, 256);
    const write = (scale: number) => encoding.encode!(new Uint8Array(256), Float32Array.of(scale), 256, bytes);
    const scales = new Float32Array(1);
    write(1 + 3 * 2 ** -11);
    encoding.decode(bytes, 256, new Uint8Array(256), scales);
    expect(scales[0]).toBe(1 + 2 * 2 ** -10); // to even
    for (const scale of [65520, Number.NaN, Number.NEGATIVE_INFINITY])
      expect(() => write(scale)).toThrow(`${name}: a scale to be written is not finite or above 65504`);
  }
});

test('the trailer of I2_S', () => {
  const { encodeTrailer, tensorScale, trailerBytes } = ternary('I2_S');
  for (const scale of [0, -0, 1.21875, Math.fround(1e-30)]) {
    const trailer = encodeTrailer!(scale);
    expect(trailer.length).toBe(trailerBytes);
    expect(tensorScale!(trailer)).toBe(scale);
    expect([...trailer.subarray(4)].every((byte) => byte === 0)).toBe(true);
  }
  for (const scale of [Number.NaN, 1e300]) expect(() => encodeTrailer!(scale)).toThrow('expected a finite f32');
});

test('F32 is as it was, at odd addresses too', () => {
  const numbers = normal(100, 1);
  const bytes = there(dense('F32'), numbers);
  expect(back(dense('F32'), bytes, 100)).toEqual(numbers);
});

test('f32 to f16: as by arithmetic', () => {
  const bits = new Uint32Array(1);
  const number = new Float32Array(bits.buffer);
  const check = (value: number) => {
    bits[0] = value;
    const expected = Number.isNaN(number[0]) ? 0x7e00 | ((value >>> 16) & 0x8000) : toF16Bits(number[0]!);
    expect(halfOfBits(bits[0]!), value.toString(16)).toBe(expected);
  };
  const edges = [0x33000000, 0x33800000, 0x38800000, 0x477fe000, 0x477ff000, 0x47800000, 0x7f800000, 0];
  const near = [-1, 0, 1, 0x1000, 0xfff, 0x2000, 0x3000];
  for (const edge of edges)
    for (const d of near) for (const sign of [0, 2 ** 31]) check((((edge + d) >>> 0) % 2 ** 31) + sign);
  const next = random(11);
  for (let i = 0; i < 20_000; i++) check(Math.floor(next() * 2 ** 32));
  for (let i = 0; i < 20_000; i++) check(Math.floor(0x32000000 + next() * 0x16000000));
});

test('F16: all halves, there and back', () => {
  const halves = Uint16Array.from({ length: 0x7c01 }, (_, i) => i);
  const numbers = back(f16, new Uint8Array(halves.buffer), halves.length);
  expectBytes(there(f16, numbers), new Uint8Array(halves.buffer));
});

test('BF16: ties to even, over into infinity, NaN stays NaN', () => {
  const bits = Uint32Array.of(0x3f808000, 0x3f818000, 0x3f808001, 0x7f7fffff, 0x7f800000, 0xff800001, 0x80000000);
  const bytes = there(dense('BF16'), new Float32Array(bits.buffer));
  const words = [0, 1, 2, 3, 4, 5, 6].map((i) => bytes[2 * i]! | (bytes[2 * i + 1]! << 8));
  expect(words).toEqual([0x3f80, 0x3f82, 0x3f81, 0x7f80, 0x7f80, 0xffc0, 0x8000]);
});

test('Q8_0: no number is off by more than half a step', () => {
  const numbers = normal(32 * 200, 0.02);
  const got = back(dense('Q8_0'), there(dense('Q8_0'), numbers), numbers.length);
  for (let block = 0; block < numbers.length; block += 32) {
    const largest = Math.max(...numbers.subarray(block, block + 32).map(Math.abs));
    for (let i = block; i < block + 32; i++)
      // Half a step, and what the rounding of the scale to f16 adds.
      expect(Math.abs(got[i]! - numbers[i]!)).toBeLessThan((largest / 127) * 0.5 + largest * 2 ** -11);
  }
});

test('Q6_K: as good as the reference quantiser on random numbers', () => {
  const encoding = dense('Q6_K');
  // The smallest give scales among the subnormal halves.
  for (const [deviation, limit] of [
    [0.02, 0.0182],
    [1, 0.0182],
    [1000, 0.0182],
    [2e-4, 0.06],
  ] as const) {
    const numbers = normal(256 * 100, deviation);
    const error = relativeError(back(encoding, there(encoding, numbers), numbers.length), numbers);
    expect(error, `${deviation}`).toBeLessThan(limit);
  }
});

test('Q6_K: what is on its steps comes back exactly, one outlier does not spoil the other runs', () => {
  const encoding = dense('Q6_K');
  const steps = Float32Array.from({ length: 256 }, (_, i) => (i % 16 === 0 ? -32 : ((i * 7) % 64) - 32) * 2 ** -10);
  expect(back(encoding, there(encoding, steps), 256)).toEqual(steps.map((value) => value + 0));
  const numbers = normal(256, 0.02);
  numbers[100] = 1;
  const got = back(encoding, there(encoding, numbers), 256);
  expect(relativeError(got.subarray(0, 96), numbers.subarray(0, 96))).toBeLessThan(0.2);
  expect(got[100]).toBeCloseTo(1, 1);
});

test.each(['Q8_0', 'Q6_K'])('%s: zeros, tiny numbers, and what cannot be written', (name) => {
  const encoding = dense(name);
  const elems = 512;
  const zeros = back(encoding, there(encoding, new Float32Array(elems)), elems);
  expect(zeros.every((value) => value === 0)).toBe(true);
  const tiny = back(encoding, there(encoding, new Float32Array(elems).fill(1e-42)), elems);
  expect(tiny.every((value) => Math.abs(value) < 1e-6)).toBe(true);
  for (const wrong of [Number.NaN, Number.POSITIVE_INFINITY, 3e38]) {
    for (const at of [0, 77, 511]) {
      const numbers = normal(elems, 1);
      numbers[at] = wrong;
      expect(() => there(encoding, numbers)).toThrow(`${name}: a scale to be written is not finite or above 65504`);
    }
  }
});

const folder = truthFolder('models');
const files = folder ? readdirSync(folder).filter((name) => /\.(TQ1_0|TQ2_0|I2_S)\.gguf$/.test(name)) : [];
test.each(files)('the ternary tensors of %s, byte by byte', async (file) => {
  const bytes = readFileSync(new URL(file, folder));
  const { tensors } = await readGguf(bytesSource(bytes, file));
  let count = 0;
  for (const { encoding, offsetBytes, lengthBytes, dims, name } of tensors) {
    if (encoding.family !== 'ternary') continue;
    count++;
    const elems = dims.reduce((a, b) => a * b);
    const trailerBytes = encoding.trailerBytes ?? 0;
    const data = bytes.subarray(offsetBytes, offsetBytes + lengthBytes - trailerBytes);
    const codes = new Uint8Array(elems);
    const scales = new Float32Array(encoding.scaleElems === 'tensor' ? 1 : elems / encoding.scaleElems);
    encoding.decode(data, elems, codes, scales);
    const got = bytesFor(encoding, elems);
    encoding.encode!(codes, scales, elems, got);
    expect(Buffer.compare(got, data), name).toBe(0);
  }
  expect(count).toBeGreaterThan(10);
});

test.skipIf(!folder)("Q6_K: no worse than bitnet.cpp's own, on an embedding", async () => {
  const embedding = async (file: string) => {
    const bytes = readFileSync(new URL(file, folder));
    const { tensors } = await readGguf(bytesSource(bytes, file));
    const { encoding, offsetBytes, lengthBytes, dims } = tensors.find((t) => t.name === 'token_embd.weight')!;
    const data = bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    return { data, values: back(encoding as DenseEncoding, data, dims[0]! * dims[1]!) };
  };
  const half = (await embedding('llama3-bpe2k.I2_S.gguf')).values;
  const theirs = await embedding('llama3-bpe2k.I2_S-q6k.gguf');
  const ours = back(dense('Q6_K'), there(dense('Q6_K'), half), half.length);
  expect(relativeError(ours, half)).toBeLessThan(relativeError(theirs.values, half) * 1.002);
});
