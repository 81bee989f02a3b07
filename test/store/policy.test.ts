// What happens where the store fails half-way: the rest is read from the address, if it is still the same file.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fileStore } from '../../src/platform/file-store.ts';
import { type Backend, storageError } from '../../src/store/backend.ts';
import { openerOf, type PolicyOptions } from '../../src/store/policy.ts';
import { expectBytes } from '../truth.ts';
import { type FileServer, fileServer } from './server.ts';

/** More than what is downloaded before it is read. */
const data = new Uint8Array(80_000_000).map((_, i) => (i * 3) ^ (i >> 10));
const step = 10_000_000;

let server: FileServer;
let folder: string;
/** Pieces that fit. */
let room: number;
let notes: string[];
let progress: (readonly [number, number])[];

beforeEach(async () => {
  server = await fileServer(data);
  folder = mkdtempSync(join(tmpdir(), 'ternlight-store-'));
  room = 3;
  notes = [];
  progress = [];
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function backend(): Promise<Backend> {
  const whole = await fileStore(folder);
  return {
    ...whole,
    async write(...piece) {
      if (room-- <= 0) throw storageError('disk', 'could not be written', { code: 'ENOSPC' });
      await whole.write(...piece);
    },
  };
}

function opener(options: PolicyOptions = {}) {
  return openerOf(backend, {
    keep: true,
    onNote: (note) => notes.push(note),
    onDownload: (have, total) => progress.push([have, total]),
    ...options,
  });
}

it('a disk that fills does not end what reads along', async () => {
  const all = opener();
  const source = await all.file(new URL(`${server.origin}/model.gguf`));
  for (let at = 0; at < data.length; at += step) expectBytes(await source.read(at, step), data.subarray(at, at + step));
  await all.finish();
  await source.close();
  expect(notes).toEqual([expect.stringMatching(/^not kept: store: disk could not be written: the space is used up/)]);
  // Whoever waits for the download is let go.
  expect(progress.at(-1)).toEqual([data.length, data.length]);
  const kept = await fileStore(folder);
  expect((await kept.slots()).length).toBe(1);
  expect(await kept.tryLock((await kept.slots())[0]!.replace(/-.*/, ''))).toBeDefined();
});

it('but another file that is at the address by then does', async () => {
  const source = await opener().file(new URL(`${server.origin}/model.gguf`));
  await source.read(0, 10);
  server.behaviour.etag = '"b"';
  const rest = async () => {
    for (let at = step; at < data.length; at += step) await source.read(at, step);
  };
  await expect(rest()).rejects.toThrow('changed while it was being read');
  await source.close();
});

it('and with cache: true, or a SHA-256 to compare, it is an error', async () => {
  for (const options of [{ cache: true }, { sha256: '0'.repeat(64) }] as const) {
    room = 3;
    const source = await opener(options).file(new URL(`${server.origin}/model.gguf`));
    await expect(source.read(data.length - 10, 10)).rejects.toMatchObject({ code: 'storage' });
    await source.close();
  }
  expect(notes).toEqual([]);
});
