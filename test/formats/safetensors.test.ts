// The container of safetensors: what it holds, and what no file may say.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { readTensorTable } from '../../src/formats/safetensors.ts';
import { repeatedKey } from '../../src/formats/safetensors-keys.ts';
import { streamSource } from '../../src/formats/source.ts';
import { concat, container, floats, memorySource, safetensors } from './safetensors-bytes.ts';

const one = floats('F32', [2, 3], [1, 2, 3, 4, 5, 6]);
const scalar = floats('BF16', [], [0.5]);

function read(bytes: Uint8Array) {
  return readTensorTable(memorySource('x.safetensors', bytes));
}

/** The table as given, over 24 bytes of data. */
function table(header: unknown) {
  return read(container(typeof header === 'string' ? header : JSON.stringify(header), new Uint8Array(24)));
}

test('tensors in the order of their data, at any alignment', async () => {
  const bytes = safetensors({ odd: { dtype: 'U8', shape: [3], data: Uint8Array.of(7, 8, 9) }, one, scalar });
  const headerBytes = bytes.length - 3 - 24 - 2;
  const tensors = await read(bytes);
  expect(tensors.map(({ source: _, ...rest }) => rest)).toEqual([
    { name: 'odd', dtype: 'U8', shape: [3], offsetBytes: headerBytes, lengthBytes: 3 },
    { name: 'one', dtype: 'F32', shape: [2, 3], offsetBytes: headerBytes + 3, lengthBytes: 24 },
    { name: 'scalar', dtype: 'BF16', shape: [], offsetBytes: headerBytes + 27, lengthBytes: 2 },
  ]);
});

test('a table in any order, with a comment, padding and an empty tensor', async () => {
  const header = {
    b: { dtype: 'F32', shape: [3], data_offsets: [12, 24] },
    none: { dtype: 'F16', shape: [0, 5], data_offsets: [12, 12] },
    __metadata__: { format: 'pt' },
    a: { dtype: 'F32', shape: [3], data_offsets: [0, 12] },
  };
  const tensors = await table(`${JSON.stringify(header)}     `);
  expect(tensors.map(({ name }) => name)).toEqual(['a', 'none', 'b']);
});

test('a stream that does not say how long it is', async () => {
  const bytes = safetensors({ one });
  const stream = new ReadableStream<Uint8Array>({
    start(controller) {
      for (let at = 0; at < bytes.length; at += 5) controller.enqueue(bytes.subarray(at, at + 5));
      controller.close();
    },
  });
  const [tensor] = await readTensorTable(streamSource(stream));
  expect(tensor).toMatchObject({ name: 'one', offsetBytes: bytes.length - 24 });
});

test.each([
  [new Uint8Array(0), 'is not a safetensors file: it looks like an empty file'],
  [new TextEncoder().encode('oops'), 'is not a safetensors file: it looks like text: "oops"'],
  [
    new TextEncoder().encode('version https://git-lfs.github.com/spec/v1\noid'),
    'is not a safetensors file: it looks like a Git LFS pointer; fetch the file itself (git lfs pull)',
  ],
  [
    new TextEncoder().encode('<!DOCTYPE html><html>'),
    'is not a safetensors file: it looks like a web page or XML, perhaps an error page; check the address',
  ],
  [
    readFileSync(new URL('../golden/models/tiny-llama-i2s.gguf', import.meta.url)),
    'is not a safetensors file: it looks like a GGUF file',
  ],
  [new Uint8Array(64), 'is not a safetensors file: it looks like zeros, perhaps a download that was never finished'],
  [container('[1]'), 'is not a safetensors file: it looks like something else, beginning with 03 00 00 00'],
  [
    concat([Uint8Array.of(1, 225, 245, 5, 0, 0, 0, 0), new TextEncoder().encode('{}')]),
    'has a header of 100000001 bytes, expected at most 100000000',
  ],
  [safetensors({ one }).subarray(0, 40), 'is cut short: has 40 bytes, the header ends at 67; download it again'],
  [container('{"a'), 'has a header that is not JSON; the file is damaged'],
  [
    container('{"\xff').map((byte) => (byte === 0xc3 ? 0xff : byte)),
    'has a header that is not UTF-8; the file is damaged',
  ],
  [safetensors({ one }).subarray(0, -1), 'is cut short: has 90 bytes, tensor "one" ends at 91; download it again'],
  [
    concat([safetensors({ one }), new Uint8Array(2)]),
    'has 93 bytes, tensor "one" ends at 91; the rest belongs to no tensor',
  ],
])('no file of the kind: %#', async (bytes, message) => {
  await expect(read(bytes)).rejects.toMatchObject({
    code: 'invalid-file',
    message: `safetensors: x.safetensors: ${message}`,
  });
});

const fine = { dtype: 'F32', shape: [6], data_offsets: [0, 24] };

test.each([
  [{ t: 5 }, 'tensor "t" is 5, expected an object'],
  [{ t: null }, 'tensor "t" is null, expected an object'],
  [{ t: { ...fine, dtype: 7 } }, 'tensor "t" has dtype 7, expected a string'],
  [{ t: { ...fine, dtype: undefined } }, 'tensor "t" has dtype missing, expected a string'],
  [{ t: { ...fine, shape: [-6] } }, 'tensor "t" has shape [-6], expected a list of integers from 0 to 2^53'],
  [{ t: { ...fine, shape: [1.5] } }, 'tensor "t" has shape [1.5], expected a list of integers from 0 to 2^53'],
  [{ t: { ...fine, shape: '6' } }, 'tensor "t" has shape "6", expected a list of integers from 0 to 2^53'],
  [
    { t: { ...fine, shape: [2 ** 40, 2 ** 40] } },
    'tensor "t" has shape [1099511627776,1099511627776], expected less than 2^53 bytes',
  ],
  [{ t: { ...fine, shape: [5] } }, 'tensor "t" has 24 bytes, expected 20 for F32 [5]'],
  [{ t: { ...fine, data_offsets: [24, 0] } }, 'tensor "t" has data_offsets [24,0], expected [begin, end]'],
  [{ t: { ...fine, data_offsets: [0, 24, 48] } }, 'tensor "t" has data_offsets [0,24,48], expected [begin, end]'],
  [{ t: { ...fine, data_offsets: {} } }, 'tensor "t" has data_offsets an object, expected [begin, end]'],
  [{ t: { ...fine, data_offsets: [4, 28] } }, 'bytes 0 to 4 before tensor "t" belong to no tensor'],
  [{ t: fine, u: { ...fine, data_offsets: [20, 44] } }, 'tensor "u" overlaps tensor "t" at byte 20'],
  [
    { t: { dtype: 'F32', shape: [1], data_offsets: [0, 4] }, u: { dtype: 'F32', shape: [1], data_offsets: [20, 24] } },
    'bytes 4 to 20 before tensor "u" belong to no tensor',
  ],
  [{ __metadata__: { a: 1 }, t: fine }, '__metadata__ is an object, expected an object of strings'],
  [`{"t":${JSON.stringify(fine)},"\\u0074":${JSON.stringify(fine)}}`, 'tensor "t" is there twice'],
  [
    { [`${'x'.repeat(100)}`]: 1 },
    `tensor "${'x'.repeat(77)}..." is 1, expected an object`, // a message stays a line
  ],
])('no table: %#', async (header, message) => {
  await expect(table(header)).rejects.toMatchObject({
    code: 'invalid-file',
    message: `safetensors: x.safetensors: ${message}`,
  });
});

test('an element type that is not known is named', async () => {
  await expect(table({ t: { ...fine, dtype: 'F4' } })).rejects.toMatchObject({
    code: 'unsupported',
    message:
      'safetensors: x.safetensors: tensor "t" has dtype "F4", expected one of BOOL, U8, I8, F8_E4M3, F8_E5M2, I16, U16, F16, BF16, I32, U32, F32, I64, U64, F64',
  });
});

test('keys that are there twice are found, and nothing else is', () => {
  expect(repeatedKey('{"a":{"a":1,"a":[{"b":2}]},"b":[1,"a","a"],"c":"a"}')).toBeUndefined();
  expect(repeatedKey('{"a\\"b":1,"x":{"y":[]},"a\\u0022b":2}')).toBe('a"b');
  expect(repeatedKey('{"a":[[1,2],[3]],"__proto__":1,"a":{}}')).toBe('a');
  expect(repeatedKey(' { } ')).toBeUndefined();
});
