import { chmodSync, mkdtempSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, expect, test } from 'vitest';
import { blobSource, bytesSource, streamSource } from '../../src/formats/source.ts';
import { fileSource } from '../../src/platform/file-source.ts';
import { expectBytes } from '../truth.ts';

const folder = mkdtempSync(join(tmpdir(), 'ternlight-'));
afterAll(() => rmSync(folder, { recursive: true }));

const data = Uint8Array.from({ length: 100_000 }, (_, i) => (i * 31) ^ (i >> 8));
const path = join(folder, 'data.gguf');
writeFileSync(path, data);

test.each([
  ['memory', async () => bytesSource(data, 'x')],
  ['an ArrayBuffer', async () => bytesSource(data.slice().buffer, 'x')],
  ['a blob', async () => blobSource(new Blob([data]), 'x')],
  ['a file', () => fileSource(path)],
])('%s: reads are exact and nothing lies beyond the end', async (_, open) => {
  const source = await open();
  expect(source.byteLength).toBe(data.length);
  expectBytes(await source.read(0, 0), new Uint8Array(0));
  for (const [offset, length] of [
    [99_999, 1],
    [5, 70_001],
    [0, 100_000],
    [100_000, 0],
  ] as const) {
    expectBytes(await source.read(offset, length), data.subarray(offset, offset + length));
  }
  await expect(source.read(99_999, 2)).rejects.toMatchObject({
    code: 'invalid-file',
    message: `source: ${source.name} is cut short: has 100000 bytes, expected 100001 or more; download it again`,
  });
  for (const [offset, length] of [
    [-1, 1],
    [0.5, 1],
    [0, Number.NaN],
    [2 ** 53, 1],
  ] as const) {
    await expect(source.read(offset, length)).rejects.toMatchObject({ code: 'internal' });
  }
  await expect(source.read(0, 1, AbortSignal.abort(new Error('stop')))).rejects.toThrow('stop');
  await source.close();
});

test('a File has its own name', () => {
  expect(blobSource(new File([data], 'model.gguf')).name).toBe('model.gguf');
});

test('files that cannot be read say why', async () => {
  await expect(fileSource(join(folder, 'none'))).rejects.toMatchObject({
    code: 'io',
    message: `source: ${join(folder, 'none')} does not exist; check the path`,
  });
  await expect(fileSource(folder)).rejects.toThrow('is a directory, expected a file');
  await expect(fileSource(join(path, 'x'))).rejects.toThrow('a part of its path is not a directory');
  const locked = join(folder, 'locked');
  writeFileSync(locked, 'x');
  chmodSync(locked, 0);
  if (process.getuid?.() !== 0)
    await expect(fileSource(locked)).rejects.toThrow('may not be read; check its permissions');
  const shrinking = join(folder, 'shrinking');
  writeFileSync(shrinking, data);
  const source = await fileSource(shrinking);
  truncateSync(shrinking, 10);
  await expect(source.read(0, 20)).rejects.toThrow('has shrunk: it ends at 10, expected 100000 bytes');
  await source.close();
});

/** A stream of `totalBytes`, byte i being i % 251, in parts of `partBytes`; `log` holds how far it was pulled. */
function counter(totalBytes: number, partBytes: number, log = { pulledBytes: 0 }): ReadableStream<Uint8Array> {
  return new ReadableStream(
    {
      pull(controller) {
        const start = log.pulledBytes;
        if (start === totalBytes) return controller.close();
        const length = Math.min(partBytes, totalBytes - start);
        log.pulledBytes += length;
        controller.enqueue(counted(start, length));
      },
    },
    { highWaterMark: 0 },
  );
}

function counted(offset: number, length: number): Uint8Array {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (offset + i) % 251;
  return bytes;
}

test.each([7919, 65536, 6_000_000])('a stream in parts of %i bytes: forwards, and back within 4 MiB', async (part) => {
  const total = 9_000_000;
  const source = streamSource(counter(total, part), { name: 's' });
  const reads = [
    [0, 1000],
    [10, 20],
    [500, 100_000],
    [5_000_000, 50], // a jump
    [4_900_000, 200_000], // back, and on
    [2_000_000, 6_500_000], // longer than what is kept
    [8_400_000, 600_000],
    [9_000_000 - 4_000_000, 4_000_000],
  ] as const;
  for (const [offset, length] of reads) {
    expectBytes(await source.read(offset, length), counted(offset, length));
  }
  expect(source.byteLength).toBeUndefined();
  // Parts are kept whole, so a large one reaches further back.
  if (part < 4 << 20) {
    await expect(source.read(0, 1)).rejects.toMatchObject({
      code: 'io',
      message: expect.stringMatching(/s can be read forwards only: byte 0 was asked for, expected \d+ or later/),
    });
  }
  await expect(source.read(total - 1, 2)).rejects.toMatchObject({
    code: 'invalid-file',
    message: 'source: s is cut short: has 9000000 bytes, expected 9000001 or more; download it again',
  });
  expect(source.byteLength).toBe(total);
  expectBytes(await source.read(total - 1, 1), counted(total - 1, 1));
});

test('a stream is pulled no further than was asked', async () => {
  const log = { pulledBytes: 0 };
  const seen: number[] = [];
  const source = streamSource(counter(1e6, 1000, log), { byteLength: 1e6, onProgress: (bytes) => seen.push(bytes) });
  await source.read(0, 1500);
  expect(log.pulledBytes).toBe(2000);
  expect(seen).toEqual([1000, 2000]);
  // Callers that do not wait for each other take turns.
  const [a, b] = await Promise.all([source.read(3000, 10), source.read(5000, 10)]);
  expect(a).toEqual(counted(3000, 10));
  expect(b).toEqual(counted(5000, 10));
  await source.close();
});

test('a stream that is shorter than it said, that breaks, that is left', async () => {
  const short = streamSource(counter(10, 10), { byteLength: 20 });
  await expect(short.read(0, 15)).rejects.toThrow('is cut short: has 10 bytes, expected 15 or more');
  const broken = streamSource(
    new ReadableStream({
      pull(controller) {
        controller.error(new Error('cable'));
      },
    }),
  );
  await expect(broken.read(0, 1)).rejects.toMatchObject({
    code: 'io',
    message: 'source: stream broke off at byte 0: Error: cable; start again',
  });
  let cancelled = false;
  const stuck = streamSource(
    new ReadableStream({
      pull: () => new Promise(() => {}),
      cancel() {
        cancelled = true;
      },
    }),
  );
  const abort = new AbortController();
  const read = stuck.read(0, 1, abort.signal);
  setTimeout(() => abort.abort(new Error('left')), 10);
  await expect(read).rejects.toThrow('left');
  expect(cancelled).toBe(true);
});
