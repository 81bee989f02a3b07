// Type ids that mean different things in different programs: told by the room that the tensors have.

import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { bytesSource, streamSource } from '../../src/formats/source.ts';
import type { ByteSource, TernaryEncoding } from '../../src/formats/types.ts';
import { hasTruth, truthJson, truthPath } from '../truth.ts';
import { file, key, tensor, type, u32 } from './gguf-bytes.ts';

interface Part {
  name?: string;
  cols: number;
  rows?: number;
  typeId?: number;
  /** In the file, without padding. */
  bytes: number;
}

const size = (group: 64 | 128, cols: number, rows = 1) => ((cols * rows) / group) * (group === 64 ? 18 : 34);
const q2 = (group: 64 | 128, cols: number, rows = 1, name?: string): Part => ({
  cols,
  rows,
  bytes: size(group, cols, rows),
  name,
});

/** Tensors one behind the other; `after` bytes, or less than none, behind the last. */
function fileOf(parts: readonly Part[], { align = 32, after = 0 } = {}): Uint8Array {
  let offset = 0;
  let end = 0;
  const tensors = parts.map(({ name, cols, rows = 1, typeId = 42, bytes }, i) => {
    const entry = tensor({ name: name ?? `t${i}`, dims: [cols, rows], typeId, offset });
    end = offset + bytes;
    offset = Math.ceil(end / align) * align;
    return entry;
  });
  const keys = align === 32 ? [] : [key('general.alignment', type.u32, u32(align))];
  return file({ tensors, align, keys, dataBytes: end + after });
}

const stream = (bytes: Uint8Array) => streamSource(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream());
/** A stream that is longer than what is read of it for the header, so that nobody knows where it ends. */
const endless = (bytes: Uint8Array): ByteSource => ({
  name: 'endless',
  byteLength: undefined,
  async read(offset, length) {
    const out = new Uint8Array(length);
    out.set(bytes.subarray(offset, offset + length));
    return out;
  },
  async close() {},
});

async function failure(source: ByteSource): Promise<TernlightError> {
  const error = await readGguf(source).then(
    () => new Error('was accepted'),
    (e: unknown) => e,
  );
  if (!(error instanceof TernlightError)) throw error;
  return error;
}

describe('Q2_0, type id 42', () => {
  const groupsIn = async (source: ByteSource) => {
    const { tensors } = await readGguf(source);
    return tensors.map(({ encoding, lengthBytes }) => [encoding.blockElems, lengthBytes]);
  };

  test.each([64, 128] as const)('groups of %i by the offsets, in any order of entries', async (group) => {
    const parts = [
      { cols: 8, bytes: 32, typeId: 0 },
      q2(group, 4096, 4),
      q2(group, 128), // either form takes 64 bytes with the padding
      q2(group, 2048),
      { cols: 8, bytes: 32, typeId: 0 },
    ];
    const expected = [
      [1, 32],
      [group, size(group, 4096, 4)],
      [group, size(group, 128)],
      [group, size(group, 2048)],
      [1, 32],
    ];
    for (const align of [32, 64, 256]) {
      const bytes = fileOf(parts, { align });
      expect(await groupsIn(bytesSource(bytes))).toEqual(expected);
      expect(await groupsIn(stream(bytes))).toEqual(expected);
      expect(await groupsIn(endless(bytes))).toEqual(expected);
    }
  });

  test.each([64, 128] as const)('groups of %i by the end of the file, padded or not', async (group) => {
    const bytes = size(group, 256, 13); // 936 or 884
    const padding = Math.ceil(bytes / 32) * 32 - bytes;
    expect(padding).toBeGreaterThan(0);
    for (const after of [0, 1, padding])
      expect(await groupsIn(bytesSource(fileOf([q2(group, 256, 13)], { after })))).toEqual([[group, bytes]]);
  });

  test('the last tensor may have something behind it, or be cut, where another tells', async () => {
    for (const group of [64, 128] as const) {
      const parts = [q2(group, 4096), q2(group, 4096)];
      const bytes = size(group, 4096);
      const expected = [
        [group, bytes],
        [group, bytes],
      ];
      for (const after of [0, 100, 5000])
        expect(await groupsIn(bytesSource(fileOf(parts, { after })))).toEqual(expected);
      // By so much that it could not be the other form.
      const error = await failure(bytesSource(fileOf(parts, { after: -200 })));
      expect(error.message).toMatch(/the file is cut short: has \d+ bytes, tensor "t1" ends at \d+; download it again/);
    }
  });

  test('rows that are no multiple of 128 have groups of 64', async () => {
    const bytes = fileOf([q2(64, 192, 3)]);
    expect(await groupsIn(endless(bytes))).toEqual([[64, 162]]);
    expect(await groupsIn(bytesSource(fileOf([q2(64, 192, 3)], { after: 999 })))).toEqual([[64, 162]]);
    const cut = await failure(bytesSource(bytes.subarray(0, bytes.length - 60)));
    expect(cut.message).toContain('the file is cut short');
    const half = await failure(bytesSource(fileOf([{ cols: 96, bytes: 27 }])));
    expect(half.message).toContain('rows of 96 elements, expected a multiple of 64 in Q2_0');
  });

  test('a single tensor that is cut', async () => {
    const error = await failure(bytesSource(fileOf([q2(64, 4096, 8)], { after: -3000 })));
    expect(error.message).toContain('the file is cut short');
  });

  test.each([
    [
      'room for neither',
      fileOf([{ ...q2(64, 4096), bytes: 1120 }, q2(64, 4096)]),
      /tensor "t0" has type Q2_0 \(id 42\) and 1120 bytes to the next tensor, expected 1152 \(groups of 64\) and padding or 1088 \(groups of 128\) and padding; the file is damaged/,
    ],
    [
      'room for groups of 128 in rows that cannot have them',
      fileOf([{ ...q2(64, 4160), bytes: 1088 }, q2(64, 4096)]),
      /and 1088 bytes to the next tensor, expected 1170 \(groups of 64\) and padding; the file is damaged/,
    ],
    [
      'both forms in one file',
      fileOf([q2(64, 4096, 1, 'a'), q2(128, 4096, 1, 'b'), { cols: 8, bytes: 32, typeId: 0 }]),
      /tensor "b" is Q2_0 \(id 42\) in groups of 128, but tensor "a" in groups of 64, expected one kind in a file/,
    ],
    [
      'both forms in one file, the odd one last',
      fileOf([q2(128, 4096, 1, 'a'), q2(64, 4096, 1, 'b')]),
      /tensor "b" is Q2_0 \(id 42\) in groups of 64, but tensor "a" in groups of 128/,
    ],
    [
      'room that fits both',
      fileOf([q2(64, 128), { cols: 8, bytes: 32, typeId: 0 }]),
      /tensor "t0" has type Q2_0 \(id 42\) and 64 bytes to the next tensor, which does not tell its form, expected either 36 \(groups of 64\) and padding or 34 \(groups of 128\) and padding; convert the model to TQ2_0/,
    ],
    [
      'more behind a single tensor than padding',
      fileOf([q2(128, 4096)], { after: 4000 }),
      /and 5088 bytes to the end of the file, which does not tell its form/,
    ],
    [
      'overlap',
      fileOf([{ ...q2(64, 4096), bytes: 32 }, q2(64, 4096)]),
      /tensor "t0" has type Q2_0 \(id 42\) and 32 bytes to the next tensor/,
    ],
  ])('%s', async (_, bytes, message) => {
    const error = await failure(bytesSource(bytes));
    expect(error.code).toBe('invalid-file');
    expect(error.message).toMatch(message);
  });

  test('an end that nobody knows', async () => {
    const error = await failure(endless(fileOf([q2(64, 4096)])));
    expect(error.message).toMatch(
      /an unknown number of bytes to the end of the file, which does not tell its form.*open the file from a source that knows its length/,
    );
  });

  const skip = !hasTruth('truth/models', 'Q2_0 of llama.cpp');
  test.skipIf(skip).each([
    ['qwen3-bpe2k.Q2_0.gguf', 'Q2_0'],
    ['qwen3-bpe2k.Q2_0_g128.gguf', 'Q2_0 (128)'],
    ['qwen3-bpe2k.PQ2_0.gguf', 'PQ2_0'],
  ])('%s holds the same weights', async (name, encodingName) => {
    const { dequantSha256 } = truthJson<{ dequantSha256: Record<string, string> }>(
      'truth/models/qwen3-bpe2k.Q2_0.expected.json',
    );
    const bytes = readFileSync(truthPath(`truth/models/${name}`));
    for (const source of [bytesSource(bytes, name), stream(bytes)]) {
      const { tensors } = await readGguf(source);
      for (const [tensorName, sha256] of Object.entries(dequantSha256)) {
        const { encoding, offsetBytes, lengthBytes, dims } = tensors.find((t) => t.name === tensorName)!;
        expect(encoding.name).toBe(encodingName);
        const elems = dims.reduce((a, b) => a * b);
        const codes = new Uint8Array(elems);
        const { decode, scaleElems } = encoding as TernaryEncoding;
        const scales = new Float32Array(elems / (scaleElems as number));
        decode(bytes.subarray(offsetBytes, offsetBytes + lengthBytes), elems, codes, scales);
        const run = elems / scales.length;
        const values = Float32Array.from(codes, (code, i) => (code - 1) * scales[Math.floor(i / run)]!);
        expect(createHash('sha256').update(new Uint8Array(values.buffer)).digest('hex')).toBe(sha256);
      }
    }
  });
});

describe('types that are refused', () => {
  const cols = 4096;
  const of = (typeId: number, bytes: number) =>
    fileOf([
      { name: 'w', cols, typeId, bytes },
      { cols: 8, bytes: 32, typeId: 0 },
    ]);
  test.each([
    ['TL1', of(38, 1024 + 64), /"w" has type TL1 of bitnet.cpp \(id 38\), whose tile sizes are not stored in the file/],
    ['a removed type', of(38, 2304), /"w" has type id 38, which llama.cpp removed.*convert the model anew/],
    ['TL2', of(39, 853 + 64), /"w" has type TL2 of bitnet.cpp \(id 39\), whose tile sizes .*; re-export .* as I2_S or/],
    ['MXFP4', of(39, 2176), /"w" has type MXFP4 \(id 39\), which is not supported, expected one of F32,/],
    ['neither', of(39, 32), /"w" has type MXFP4, or TL2 of bitnet.cpp \(id 39\)/],
    ['IQ1_BN', of(134, 32), /"w" has type IQ1_BN of ik_llama.cpp \(id 134\).*re-export the model as I2_S or TQ2_0/],
    ['Q8_K', of(15, 32), /"w" has type Q8_K \(id 15\), which is not supported, expected one of F32, .*Q2_0, PQ2_0/],
  ])('%s', async (_, bytes, message) => {
    const error = await failure(bytesSource(bytes));
    expect(error.code).toBe('unsupported');
    expect(error.message).toMatch(message);
  });

  test('by id alone, where the end of the file is not known', async () => {
    const bytes = fileOf([{ name: 'w', cols, typeId: 39, bytes: 2176 }]);
    expect((await failure(endless(bytes))).message).toMatch(/MXFP4, or TL2 of bitnet.cpp \(id 39\)/);
    expect((await failure(bytesSource(bytes))).message).toMatch(/has type MXFP4 \(id 39\), which/);
  });
});
