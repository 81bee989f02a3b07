// I2_S in its three orders, and which of them a file has.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { encodingByName, type I2sLayout, i2sByLayout } from '../../src/formats/encodings/index.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { ggufHeader, type TensorPlan } from '../../src/formats/gguf-write.ts';
import { identifyI2s, withI2sLayout } from '../../src/formats/i2s-layout.ts';
import { bytesSource } from '../../src/formats/source.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import type { ByteSource, ModelFile, TernaryEncoding } from '../../src/formats/types.ts';
import { expectBytes, hasTruth, truthPath } from '../truth.ts';
import { countingSource } from './counting-source.ts';

const layouts: readonly I2sLayout[] = ['x86', 'arm', 'rows4'];
const I2_S = encodingByName('I2_S') as TernaryEncoding;
const noScales = new Float32Array(0);

/** Codes 0..2, the same numbers everywhere. */
function randomCodes(count: number, seed = 1): Uint8Array {
  let state = seed;
  return Uint8Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 2 ** 32) * 3);
  });
}

/** Where the description (gguf.md 4.2) puts element e of rows of `cols`. */
function place(layout: I2sLayout, e: number, cols: number): { byte: number; shift: number } {
  if (layout === 'rows4') {
    const row = Math.floor(e / cols);
    return { byte: Math.floor(row / 4) * cols + (e % cols), shift: 6 - 2 * (row % 4) };
  }
  const quarter = layout === 'x86' ? 32 : 16;
  const p = e % (4 * quarter);
  return {
    byte: Math.floor(e / (4 * quarter)) * quarter + (p % quarter),
    shift: 6 - 2 * Math.floor(p / quarter),
  };
}

function pack(layout: I2sLayout, codes: Uint8Array, cols: number): Uint8Array {
  const bytes = new Uint8Array(codes.length / 4 + 1).subarray(1); // at an odd address
  codes.forEach((code, e) => {
    const { byte, shift } = place(layout, e, cols);
    bytes[byte] = bytes[byte]! | (code << shift);
  });
  return bytes;
}

describe('orders', () => {
  const { scale, ternary, ...hex } = JSON.parse(
    readFileSync(new URL('../golden/encodings/blocks.json', import.meta.url), 'utf8'),
  ).I2_S;

  test.each([
    ['x86', 'layoutA_128x32_hex'],
    ['arm', 'layoutB_64x16_hex'],
    ['rows4', 'layoutC_rows4_hex'],
  ] as const)('golden matrix in order %s', (layout, key) => {
    const bytes = new Uint8Array(Buffer.from(hex[key], 'hex'));
    const encoding = i2sByLayout(layout, 128);
    const codes = new Uint8Array(1024);
    encoding.decode(bytes, 1024, codes, noScales);
    expect(Array.from(codes, (code) => code - 1)).toEqual(ternary.flat());
    if (bytes.length > 256) expect(encoding.tensorScale!(bytes.subarray(256))).toBe(scale);
    if (!encoding.encode) return;
    const back = new Uint8Array(256);
    encoding.encode(codes, noScales, 1024, back);
    expectBytes(back, bytes.subarray(0, 256));
  });

  // Rows of 67.5 and of 1.5 blocks, of half a block, and of a width that no word divides.
  test.each([
    ['x86', 8640, 4],
    ['x86', 192, 6],
    ['x86', 64, 10],
    ['arm', 8640, 4],
    ['arm', 96, 10],
    ['rows4', 8640, 4],
    ['rows4', 67, 8],
    ['rows4', 3, 4],
  ] as const)('%s, rows of %i: blocks run on over rows', (layout, cols, rows) => {
    const codes = randomCodes(rows * cols);
    const encoding = i2sByLayout(layout, cols);
    const got = new Uint8Array(codes.length);
    encoding.decode(pack(layout, codes, cols), codes.length, got, noScales);
    expectBytes(got, codes);
    expect((codes.length / encoding.blockElems) * encoding.blockBytes).toBe(codes.length / 4);
  });

  test.each(layouts)('%s: one code 3 anywhere is refused', (layout) => {
    const encoding = i2sByLayout(layout, 64);
    for (let bit = 0; bit < 512; bit += 2) {
      const bytes = new Uint8Array(64).fill(0b10_01_00_10);
      bytes[bit >> 3] = 3 << (bit & 7);
      expect(() => encoding.decode(bytes, 256, new Uint8Array(256), noScales)).toThrow('I2_S: the data holds a code 3');
    }
  });

  test('a code 3 behind the last whole word of a row', () => {
    const decode = () => i2sByLayout('rows4', 3).decode(Uint8Array.of(0, 0, 3 << 4), 12, new Uint8Array(12), noScales);
    expect(decode).toThrow('I2_S: the data holds a code 3');
  });

  test('an order that there is not', () => {
    expect(() => i2sByLayout('risc' as I2sLayout, 128)).toThrow('layout risc, expected "x86", "arm" or "rows4"');
  });
});

interface Layer {
  linear: string;
  norm: string;
  cols: number;
  rows: number;
  dead: readonly number[];
  /** Dead channels whose columns are not quite zeros. */
  almost?: readonly number[];
  normEncoding?: string;
}

/** A file of norms and layers; layers in `layout`. */
async function fileWith(layout: I2sLayout, layers: readonly Layer[], change = (_: Uint8Array) => {}) {
  const plans: TensorPlan[] = [];
  const data: Uint8Array[] = [];
  for (const { linear, norm, cols, rows, dead, almost = [], normEncoding = 'F32' } of layers) {
    const encoding = encodingByName(normEncoding)!;
    if (encoding.family !== 'dense') throw new Error();
    const numbers = Float32Array.from({ length: cols }, (_, c) => (dead.includes(c) ? -1e-32 : 0.5 + c / cols));
    const normBytes = new Uint8Array(cols * encoding.blockBytes);
    encoding.encode!(numbers, cols, normBytes);
    const codes = randomCodes(rows * cols, cols);
    for (const c of dead) for (let r = 0; r < rows; r++) codes[r * cols + c] = almost.includes(c) && r === 9 ? 2 : 1;
    const packed = pack(layout, codes, cols);
    change(packed);
    plans.push({ name: `${norm}.weight`, dims: [cols], encoding });
    plans.push({ name: `${linear}.weight`, dims: [cols, rows], encoding: I2_S });
    data.push(normBytes, new Uint8Array([...packed, ...I2_S.encodeTrailer!(0.5)]));
  }
  const { bytes, fileBytes, tensorOffsetsBytes } = ggufHeader([['general.architecture', 'string', 'x']], plans);
  const file = new Uint8Array(fileBytes);
  file.set(bytes);
  for (const [i, part] of data.entries()) file.set(part, tensorOffsetsBytes[i]!);
  return readGguf(bytesSource(file, 'file'));
}

const down = (layer: number, dead: readonly number[], cols = 768, rows = 300): Layer => ({
  linear: `blk.${layer}.ffn_down`,
  norm: `blk.${layer}.ffn_sub_norm`,
  cols,
  rows,
  dead,
});
const every = (step: number, cols: number) => Array.from({ length: Math.ceil(cols / step) }, (_, i) => i * step);

describe.each(layouts)('a file in order %s', (layout) => {
  test.each([
    ['many', every(3, 768)],
    ['most', Array.from({ length: 768 }, (_, i) => i).filter((c) => c % 7 !== 2 && c % 13 !== 4)],
    ['three', [20, 300, 740]],
    ['one', [20]],
  ])('%s dead channels tell', async (_, dead) => {
    const got = await identifyI2s(await fileWith(layout, [down(0, []), down(1, dead)]));
    expect(got).toMatchObject({ layout, sure: true });
    expect(got!.why).toContain(`of ${dead.length} dead channels of blk.1.ffn_sub_norm.weight`);
    expect(got!.why).toContain(`${dead.length} in the I2_S order "${layout}"`);
  });

  test('rows that are no multiple of a block', async () => {
    const file = await fileWith(layout, [down(1, every(5, 8640), 8640, 60)]);
    expect(await identifyI2s(file)).toMatchObject({ layout, sure: true });
  });

  test('columns that are nearly zeros, and a few that are not', async () => {
    const dead = every(5, 768); // multiples of 4 would be the same set in every order
    const file = await fileWith(layout, [{ ...down(1, dead), almost: dead.slice(0, 100) }]);
    expect(await identifyI2s(file)).toMatchObject({ layout, sure: true });
  });

  test('no sub-norms, norms in F16, layer 0 only', async () => {
    const { linear, norm } = { linear: 'blk.0.ffn_gate', norm: 'blk.0.ffn_norm' };
    const layers = [{ ...down(0, every(9, 256), 256, 128), linear, norm, normEncoding: 'F16' }];
    expect(await identifyI2s(await fileWith(layout, layers))).toMatchObject({ layout, sure: true });
  });

  test('a later layer tells where the first does not', async () => {
    // Channels at places that "x86" and "arm" have in common.
    const file = await fileWith(layout, [down(1, [0, 5, 15, 127]), down(2, [40])]);
    expect(await identifyI2s(file)).toMatchObject({ layout, sure: true });
  });

  test('no dead channels: taken for the usual order, and said so', async () => {
    const file = await fileWith(layout, [down(0, []), down(1, [])]);
    const got = await identifyI2s(file);
    expect(got).toMatchObject({ layout: 'x86', sure: false });
    expect(got!.why).toContain('no dead channels tell the order of the I2_S codes');
  });

  test('the file taken in that order gives the weights', async () => {
    const dead = every(3, 768);
    const file = withI2sLayout(await fileWith(layout, [down(1, dead)]), layout);
    expect(file.format).toBe('GGUF v3');
    expect(file.tensors[0]!.encoding.name).toBe('F32');
    const { encoding, offsetBytes, lengthBytes } = file.tensors[1]!;
    const bytes = await file.source.read(offsetBytes, lengthBytes);
    const codes = new Uint8Array(768 * 300);
    const ternary = encoding as TernaryEncoding;
    ternary.decode(bytes, codes.length, codes, noScales);
    const expected = randomCodes(768 * 300, 768);
    expect(codes.every((code, i) => code === (dead.includes(i % 768) ? 1 : expected[i]))).toBe(true);
    expect(ternary.tensorScale!(bytes.subarray(lengthBytes - 32))).toBe(0.5);
  });
});

test('dead channels whose columns are alive tell nothing', async () => {
  const file = await fileWith('arm', [down(1, [])]);
  const norm = file.tensors[0]!;
  const bytes = await file.source.read(norm.offsetBytes, norm.lengthBytes); // a view on the file
  bytes.fill(0, 0, 400);
  const got = await identifyI2s(file);
  expect(got).toMatchObject({ layout: 'x86', sure: false });
  expect(got!.why).toContain('of 100 dead channels of blk.1.ffn_sub_norm.weight, columns of zeros');
  expect(got!.why).toContain('which tells nothing');
});

test('weights that are all zeros tell nothing', async () => {
  const file = await fileWith('arm', [down(1, every(1, 768))]);
  expect(await identifyI2s(file)).toMatchObject({ layout: 'x86', sure: false });
});

test('a code 3 in the sample: not I2_S data', async () => {
  const file = await fileWith('x86', [down(1, [40])], (packed) => {
    packed[1000] = 0b11_00_00_00;
  });
  await expect(identifyI2s(file)).rejects.toMatchObject({
    code: 'invalid-file',
    message: expect.stringMatching(/tensor "blk.1.ffn_down.weight" is not I2_S data: it holds a code 3/),
  });
});

test('a source that goes forwards only is left alone', async () => {
  const file = await fileWith('arm', [down(1, [40])]);
  const source: ByteSource & { sequential: boolean } = {
    name: 'stream',
    byteLength: undefined,
    sequential: true,
    read: () => Promise.reject(new Error('was read')),
    close: async () => {},
  };
  const got = await identifyI2s({ ...file, source });
  expect(got).toMatchObject({ layout: 'x86', sure: false });
  expect(got!.why).toContain('can only be read forwards');
});

test('a large model without dead channels: some norms are read, nothing else', async () => {
  const source = countingSource(syntheticModel('bitnet-2b-4t'));
  const file = await readGguf(source);
  const before = source.readBytes;
  expect(await identifyI2s(file)).toMatchObject({ layout: 'x86', sure: false });
  expect(source.readBytes - before).toBeLessThan(200_000);
});

test('an aborted identification stops', async () => {
  const reason = new Error('enough');
  const file = await fileWith('arm', [down(1, [40])]);
  await expect(identifyI2s(file, AbortSignal.abort(reason))).rejects.toBe(reason);
});

test('rows that "rows4" cannot have', async () => {
  const file = await fileWith('x86', [down(1, [], 256, 6)]);
  expect(() => withI2sLayout(file, 'rows4')).toThrow(
    'i2s: file: tensor "blk.1.ffn_down.weight" has 6 rows of 256, expected a multiple of 1024 elements for layout "rows4"',
  );
});

describe('files of other programs', () => {
  const read = async (name: string): Promise<ModelFile> => readGguf(bytesSource(readFileSync(truthPath(name)), name));

  test.skipIf(!hasTruth('truth/models', 'I2_S of bitnet.cpp'))('random weights: usual order, unsure', async () => {
    const file = await read('truth/models/bitnet158-bpe2k.I2_S.gguf');
    expect(await identifyI2s(file)).toMatchObject({ layout: 'x86', sure: false });
  });

  test.skipIf(!hasTruth('truth/models', 'a file without I2_S'))('no I2_S, no answer', async () => {
    const file = await read('truth/models/bitnet-bpe2k.TQ2_0.gguf');
    expect(await identifyI2s(file)).toBeUndefined();
    expect(withI2sLayout(file, 'arm').tensors).toEqual(file.tensors);
  });
});
