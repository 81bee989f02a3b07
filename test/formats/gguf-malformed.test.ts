// What strangers send. Each must end in a TernlightError, soon, and without a large allocation.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { bytesSource, streamSource } from '../../src/formats/source.ts';
import type { ByteSource } from '../../src/formats/types.ts';
import { truthFolder } from '../truth.ts';
import { file, key, type RawFile, str, tensor, type, u32, u64 } from './gguf-bytes.ts';

const absurd = [2n ** 32n, 2n ** 53n - 1n, 2n ** 53n, 2n ** 60n, 2n ** 64n - 1n];
const text = (value: string) => new TextEncoder().encode(value);
const array = (elemType: number, count: number | bigint, ...rest: Uint8Array[]) =>
  key('k', type.array, u32(elemType), u64(count), ...rest);

const cases: [what: string, bytes: Uint8Array | RawFile, message: RegExp | string][] = [
  ['an empty file', new Uint8Array(0), 'bytes is not a GGUF file: it looks like an empty file'],
  ['two bytes', text('GG'), 'is not a GGUF file: it looks like text: "GG"'],
  ['only the magic', text('GGUF'), 'header needs 4 bytes at 4, but the file ends at 4'],
  ['zeros', new Uint8Array(5000), 'zeros, perhaps a download that was never finished'],
  ['a web page', text('<!DOCTYPE html><html>'), 'a web page or XML'],
  ['a JSON answer', text('{"error":"Repository not found"}'), 'JSON, perhaps an error message'],
  ['a Git LFS pointer', text('version https://git-lfs.github.com/spec/v1\n'), 'a Git LFS pointer'],
  ['safetensors', new Uint8Array([...u64(20), ...text('{"a":{"dtype":"F32"}}')]), 'a safetensors file'],
  ['zip', text('PK\x03\x04 and more'), 'a zip archive or a PyTorch checkpoint'],
  ['gzip', new Uint8Array([0x1f, 0x8b, 8, 0]), 'a gzip file'],
  ['zstd', new Uint8Array([0x28, 0xb5, 0x2f, 0xfd]), 'a zstd file'],
  ['GGML', text('lmgg\x01\x00\x00\x00'), 'a GGML file from before GGUF'],
  ['noise', new Uint8Array([1, 2, 255, 254, 9]), 'something else, beginning with 01 02 ff fe'],

  ['version 1', { version: 1 }, 'is of version 1, expected 2 or 3; convert the model anew'],
  ['version 4', { version: 4 }, 'is of version 4, expected 2 or 3'],
  ['version 0', { version: 0 }, 'is of version 0, expected 2 or 3'],
  ['big-endian', { version: 0x03000000 }, 'is a big-endian file, expected little-endian'],

  ...absurd.map((n): (typeof cases)[0] => [`${n} keys`, { nKeys: n }, /needs \d+ bytes|has a count of/]),
  ...absurd.map((n): (typeof cases)[0] => [`${n} tensors`, { nTensors: n }, /needs \d+ bytes|has a count of/]),
  ...[0, 4, 6, 8, 10, 12].flatMap((elem) =>
    absurd.map((n): (typeof cases)[0] => [
      `array of ${n}, type ${elem}`,
      { keys: [array(elem, n)] },
      /needs|a count of/,
    ]),
  ),
  ...absurd.map((n): (typeof cases)[0] => [
    `string of ${n}`,
    { keys: [key('k', type.string, u64(n))] },
    /needs|count of/,
  ]),
  ...absurd.map((n): (typeof cases)[0] => [
    `string of ${n} in a list`,
    { keys: [array(type.string, 1, u64(n))] },
    /needs|count of/,
  ]),
  ['a key name of 70 000 bytes', { keys: [key('k'.repeat(70000), type.u32, u32(1))] }, 'expected at most 65535'],
  ['value type 13', { keys: [key('k', 13, u32(1))] }, 'metadata "k" has value type 13, expected 0 to 12'],
  ['element type 99', { keys: [array(99, 1)] }, 'metadata "k" has value type 99, expected 0 to 12'],
  ['an array of arrays', { keys: [array(9, 1, u32(9), u64(1))] }, '"k" is an array of arrays'],
  ['a bool of 2', { keys: [key('k', type.bool, new Uint8Array([2]))] }, '"k" is a bool of value 2, expected 0 or 1'],
  ['a key twice', { keys: [key('k', 4, u32(1)), key('k', 4, u32(1))] }, 'metadata "k" is there twice'],
  [
    'rotated weights',
    { keys: [key('prism.hadamard.block', type.u32, u32(1))] },
    'the weights are rotated (metadata "prism.hadamard.block")',
  ],
  [
    'a part of a split model',
    { keys: [key('split.count', type.u16, new Uint8Array([3, 0]))] },
    'is one of 3 parts of a model, expected one file',
  ],
  ...[0, 1, 4, 12, 33, 48, 2 ** 31].map((n): (typeof cases)[0] => [
    `alignment ${n}`,
    { keys: [key('general.alignment', type.u32, u32(n))] },
    `general.alignment is ${n}, expected a power of two from 8 to 1073741824`,
  ]),

  ['no dimension', { tensors: [tensor({ dims: [] }), tensor({})] }, 'tensor "t" has 0 dimensions, expected 1 to 4'],
  ['five dimensions', { tensors: [tensor({ dims: [1, 1, 1, 1, 1] })] }, 'tensor "t" has 5 dimensions'],
  [
    '2^32-1 dimensions',
    { tensors: [new Uint8Array([...str('t'), ...u32(2 ** 32 - 1), ...new Uint8Array(40)])] },
    'dimensions',
  ],
  ['a dimension of 0', { tensors: [tensor({ dims: [32, 0] })] }, 'tensor "t" has a dimension of 0'],
  ['a product beyond 2^53', { tensors: [tensor({ dims: [2 ** 30, 2 ** 30] })] }, 'expected less than 2^53'],
  ['a product that wraps to 0', { tensors: [tensor({ dims: [2n ** 32n, 2n ** 32n] })] }, 'expected less than 2^53'],
  ['a dimension of 2^63', { tensors: [tensor({ dims: [2n ** 63n] })] }, 'has a count of'],
  [
    'half a block',
    { tensors: [tensor({ dims: [128, 2], typeId: 35 })] },
    'has rows of 128 elements, expected a multiple of 256 in TQ2_0',
  ],
  [
    'half a block of I2_S',
    { tensors: [tensor({ dims: [96], typeId: 36 })] },
    'has 96 elements, expected a multiple of 128 in I2_S',
  ],
  [
    'a long tensor name',
    { tensors: [tensor({ name: 'x'.repeat(65) })] },
    'tensor 0 has a length of 65 bytes, expected at most 64',
  ],
  [
    'an unaligned offset',
    { tensors: [tensor({ offset: 16 })], dataBytes: 999 },
    'tensor "t" has offset 16, expected a multiple of 32',
  ],
  ['an offset beyond 2^53', { tensors: [tensor({ offset: 2n ** 60n })], dataBytes: 128 }, 'has a count of'],
  ['an offset beyond the file', { tensors: [tensor({ offset: 2n ** 50n })], dataBytes: 128 }, 'the file is cut short'],
  [
    'data cut',
    { tensors: [tensor({})], dataBytes: 127 },
    /the file is cut short: has 191 bytes, tensor "t" ends at 192; download it again/,
  ],
  ['a tensor twice', { tensors: [tensor({}), tensor({ offset: 128 })], dataBytes: 256 }, 'tensor "t" is there twice'],
  [
    'overlap',
    { tensors: [tensor({ name: 'a', offset: 96 }), tensor({ name: 'b', offset: 0 })], dataBytes: 256 },
    /tensors "b" and "a" overlap at byte \d+/,
  ],
  [
    'an unknown type',
    { tensors: [tensor({ typeId: 200 })] },
    'tensor "t" has the unknown type id 200, expected one of F32,',
  ],
  ['TL1', { tensors: [tensor({ typeId: 38 })] }, /TL1 of bitnet.cpp \(id 38\).*re-export the model as I2_S or TQ2_0/],
  ['TL2', { tensors: [tensor({ typeId: 39 })] }, /TL2 of bitnet.cpp \(id 39\).*re-export the model as I2_S or TQ2_0/],
  ['IQ2_BN', { tensors: [tensor({ typeId: 135 })] }, /IQ2_BN of ik_llama.cpp \(id 135\).*re-export/],
  ['a removed type', { tensors: [tensor({ typeId: 31 })] }, 'has type id 31, which llama.cpp removed'],
  ['Q8_K', { tensors: [tensor({ typeId: 15 })] }, 'has type Q8_K (id 15), which is not supported'],
];

for (const [what, raw, message] of cases) {
  test(what, async () => {
    const bytes = raw instanceof Uint8Array ? raw : file(raw);
    const error = await failureOf(bytesSource(bytes));
    expect(error.message).toMatch(message);
    // A stream of unknown length has no size to compare with, yet must come to an end.
    await failureOf(streamSource(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream()));
  });
}

const small = file({
  keys: [
    key('general.architecture', type.string, str('llama')),
    key('tokens', type.array, u32(type.string), u64(3), str('a'), str('bb'), str('')),
    key('types', type.array, u32(type.i32), u64(3), u32(1), u32(1), u32(1)),
    key('list', type.array, u32(type.u8), u64(3), new Uint8Array(3)),
    key('general.alignment', type.u32, u32(32)),
    key('flag', type.bool, new Uint8Array([1])),
  ],
  tensors: [tensor({ name: 'a', dims: [256, 2], typeId: 35 }), tensor({ name: 'b', dims: [4], offset: 160 })],
  dataBytes: 176,
});

test('cut at every byte', async () => {
  expect((await readGguf(bytesSource(small))).tensors.length).toBe(2);
  for (let length = 0; length < small.length; length++) {
    const error = await failureOf(bytesSource(small.subarray(0, length)));
    if (length >= 4) expect(error.message, `${length}`).toMatch(/cut short/);
  }
});

test('random damage: nothing but a TernlightError comes out', async () => {
  let seed = 1;
  const next = (below: number) => {
    seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
    return Math.floor((seed / 2 ** 32) * below);
  };
  let refused = 0;
  for (let round = 0; round < 20_000; round++) {
    const bytes = small.slice();
    for (let i = next(4); i >= 0; i--) {
      bytes[next(bytes.length - 176)] = [next(256), 0xff, 0, 0x7f, 0x80][next(5)]!;
    }
    const error = await readGguf(bytesSource(bytes)).then(
      () => undefined,
      (e: unknown) => e,
    );
    if (!error) continue;
    refused++;
    if (!(error instanceof TernlightError)) throw error;
  }
  expect(refused).toBeGreaterThan(10_000);
});

test('counts that promise more than the stream holds are not allocated', async () => {
  const bytes = file({ keys: [array(type.string, 100_000_000)] });
  const before = process.memoryUsage().arrayBuffers;
  const start = performance.now();
  const source: ByteSource = streamSource(new Blob([bytes as Uint8Array<ArrayBuffer>]).stream());
  await failureOf(source);
  expect(performance.now() - start).toBeLessThan(1000);
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(50e6);
});

const folder = truthFolder('malformed');
if (folder) {
  const manifest = JSON.parse(readFileSync(new URL('manifest.json', folder), 'utf8')) as {
    file: string;
    expect: string;
    why: string;
  }[];
  for (const entry of manifest) {
    test(`${entry.file}: ${entry.why}`, async () => {
      const source = bytesSource(readFileSync(new URL(entry.file, folder)), entry.file);
      // A file without tokens is a good container; who wants tokens refuses it.
      if (entry.expect === 'accept' || entry.file === 'tokens-missing.gguf') await readGguf(source);
      else await failureOf(source);
    });
  }
}

async function failureOf(source: ByteSource): Promise<TernlightError> {
  const error = await readGguf(source).then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof TernlightError)) throw error ?? new Error('was accepted');
  expect(['invalid-file', 'unsupported']).toContain(error.code);
  return error;
}
