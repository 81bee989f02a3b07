// Named blobs as a store, where a browser does what OPFS of real ones was seen to do.
import { expect, it } from 'vitest';
import { blobsBackend } from '../../src/store/blobs.ts';

it('passes over the files that a browser writes to meanwhile', async () => {
  const id = 'a-1';
  const record = { url: 'https://example.org/m', bytes: 30, pieceBytes: 10, whole: false, savedMs: 0 };
  const sizes: Record<string, number> = { [`${id}.json`]: 10, [`${id}.0`]: 10, [`${id}.1`]: 4, 'b-1.2': 10 };
  const backend = blobsBackend(
    {
      name: 'OPFS',
      names: async () => [...Object.keys(sizes), `${id}.2.crswap`, `${id}.json.crswap`],
      async get(name) {
        // Chromium lists them, and then does not find them.
        if (name.endsWith('.crswap')) throw new DOMException('could not be found', 'NotFoundError');
        return name in sizes ? new Blob([new Uint8Array(sizes[name]!)]) : undefined;
      },
      async put() {},
      async delete() {},
    },
    { tryLock: async () => async () => {}, freeBytes: async () => undefined, persist: async () => true },
  );
  expect(await backend.slots()).toEqual([id]);
  expect([...(await backend.pieces({ id, record }))]).toEqual([0]);
});
