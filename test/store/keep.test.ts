// Keeping what is at an address, in a folder: every way a server, a disk or a process may fail.
import { createHash } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, statSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { cacheFolder, fileStore } from '../../src/platform/file-store.ts';
import type { Backend } from '../../src/store/backend.ts';
import { type KeepOptions, openKept, openWhole } from '../../src/store/keep.ts';
import { expectBytes } from '../truth.ts';
import { type FileServer, fileServer } from './server.ts';

const pieceBytes = 1 << 20;
const data = new Uint8Array(10_500_000).map((_, i) => (i * 7) ^ (i >> 8) ^ (i >> 17));
const other = data.map((byte) => byte ^ 1);
const digest = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex');
const pieces = Math.ceil(data.length / pieceBytes);

let server: FileServer;
let folder: string;
let backend: Backend;
let url: string;

beforeEach(async () => {
  server = await fileServer(data);
  folder = mkdtempSync(join(tmpdir(), 'ternlight-store-'));
  backend = await fileStore(join(folder, 'made'));
  url = `${server.origin}/model.gguf`;
});
afterEach(async () => {
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function fetched(options: KeepOptions = {}, address = url): Promise<void> {
  const source = await openKept(address, backend, { pieceBytes, retryMs: 1, ...options });
  try {
    await source.finish();
  } finally {
    await source.close();
  }
}

async function expectKept(bytes = data): Promise<void> {
  const before = server.requests.length;
  const kept = await openWhole(url, backend);
  expectBytes(await kept!.read(0, bytes.length), bytes);
  await kept!.close();
  expect(server.requests.length).toBe(before);
}

const files = () => readdirSync(join(folder, 'made')).sort();

describe('a download', () => {
  it('is kept as a whole, and then needs no request', async () => {
    const progress: number[] = [];
    await fetched({ onProgress: (have, total) => progress.push(have, total) });
    await expectKept();
    expect(progress.at(-2)).toBe(data.length);
    expect(progress.filter((_, i) => i % 2).every((total) => total === data.length)).toBe(true);
    const rising = progress.filter((_, i) => i % 2 === 0);
    expect(rising).toEqual([...rising].sort((a, b) => a - b));
    expect(files().some((name) => name.endsWith('-model.gguf'))).toBe(true);
    expect(files().some((name) => name.endsWith('.lock'))).toBe(false);
  });

  it('asks for each byte once, from several connections', async () => {
    await fetched();
    const asked = server.requests.map((line) => line.split(' ')[1]!);
    expect(asked[0]).toBe('bytes=0-');
    expect(asked.slice(1).sort()).toEqual(
      Array.from({ length: pieces - 1 }, (_, i) => {
        const start = (i + 1) * pieceBytes;
        return `bytes=${start}-${Math.min(data.length, start + pieceBytes) - 1}`;
      }).sort(),
    );
  });

  it('can be read while it goes on', async () => {
    server.behaviour.slowMs = 5;
    const source = await openKept(url, backend, { pieceBytes });
    expectBytes(await source.read(5, 100), data.subarray(5, 105));
    expect((await backend.pieces({ id: (await backend.slots())[0]!, record: recordOf() })).size).toBeLessThan(pieces);
    server.behaviour.slowMs = 0;
    expectBytes(
      await source.read(pieceBytes - 10, 3 * pieceBytes),
      data.subarray(pieceBytes - 10, 4 * pieceBytes - 10),
    );
    await source.finish();
    await source.close();
    await expectKept();
  });

  it('comes from a server that ignores ranges, in one request', async () => {
    server.behaviour.ignoresRanges = true;
    await fetched();
    expect(server.requests.length).toBe(1);
    await expectKept();
  });

  it('goes on over broken connections', async () => {
    server.behaviour.cutAfterBytes = 700_000;
    await fetched();
    await expectKept();
  });

  it('of an empty file is one', async () => {
    server.behaviour.body = new Uint8Array(0);
    await fetched();
    await expectKept(new Uint8Array(0));
  });
});

function recordOf() {
  const name = files().find((file) => /^\w+-\d+\.json$/.test(file))!;
  return JSON.parse(readFileSync(join(folder, 'made', name), 'utf8'));
}

describe('a download that was broken off', () => {
  /** Until some pieces are there. */
  async function begin(): Promise<number> {
    server.behaviour.slowMs = 2;
    const source = await openKept(url, backend, { pieceBytes });
    await source.read(0, 3 * pieceBytes + 10);
    await source.close();
    server.behaviour.slowMs = 0;
    const have = await backend.pieces({ id: (await backend.slots())[0]!, record: recordOf() });
    expect(have.size).toBeGreaterThanOrEqual(4);
    expect(have.size).toBeLessThan(pieces);
    expect(await openWhole(url, backend)).toBeUndefined();
    server.requests.length = 0;
    return have.size;
  }

  it('goes on with what is missing', async () => {
    const have = await begin();
    const before = server.promised();
    await fetched();
    expect(server.requests.length).toBe(pieces - have);
    expect(server.promised() - before).toBeLessThanOrEqual(data.length - (have - 1) * pieceBytes);
    await expectKept();
  });

  it('begins anew where the file has changed', async () => {
    await begin();
    Object.assign(server.behaviour, { etag: '"b"', body: other });
    await fetched();
    await expectKept(other);
    expect((await backend.slots()).length).toBe(1);
  });

  it('begins anew where the file has become shorter than what was had of it', async () => {
    await begin();
    Object.assign(server.behaviour, { etag: '"b"', body: data.subarray(0, 100) });
    await fetched();
    await expectKept(data.subarray(0, 100));
  });

  it('begins anew where the server tells no version, for it could be of another file', async () => {
    server.behaviour.etag = undefined;
    await begin();
    server.behaviour.body = other;
    await fetched();
    await expectKept(other);
  });

  it('leaves nothing where nothing had come', async () => {
    server.behaviour.slowMs = 50;
    const source = await openKept(url, backend, { pieceBytes });
    await source.close();
    expect(files()).toEqual([]);
  });

  it('leaves an aborted one as it is', async () => {
    const abort = new AbortController();
    server.behaviour.slowMs = 2;
    const done = fetched({
      signal: abort.signal,
      onProgress: (have) => {
        if (have > 5 * pieceBytes) abort.abort(new Error('enough'));
      },
    });
    await expect(done).rejects.toThrow('enough');
    server.behaviour.slowMs = 0;
    server.requests.length = 0;
    await fetched();
    expect(server.requests.length).toBeLessThan(pieces);
    await expectKept();
  });
});

describe('what was there before', () => {
  it('is asked about and kept where nothing has changed', async () => {
    await fetched();
    server.requests.length = 0;
    await fetched({ refresh: true });
    expect(server.requests).toEqual(['/model.gguf bytes=0-0']);
    await expectKept();
  });

  it('stays until the new one is whole', async () => {
    await fetched();
    Object.assign(server.behaviour, { etag: '"b"', body: other, slowMs: 2 });
    const source = await openKept(url, backend, { pieceBytes, refresh: true });
    await source.read(0, 10);
    const old = await openWhole(url, backend);
    expectBytes(await old!.read(0, data.length), data);
    await old!.close();
    await source.close(); // the tab is closed half-way
    await expectKept(data);
    server.behaviour.slowMs = 0;
    await fetched({ refresh: true });
    await expectKept(other);
    expect((await backend.slots()).length).toBe(1);
  });

  it('stays where the new one is not what was expected, or does not come', async () => {
    await fetched();
    Object.assign(server.behaviour, { etag: '"b"', body: other });
    await expect(fetched({ refresh: true, sha256: digest(data.subarray(1)) })).rejects.toThrow('expected');
    await expectKept(data);
    server.behaviour.status = 503;
    await expect(fetched({ refresh: true })).rejects.toMatchObject({ code: 'io' });
    await expectKept(data);
  });

  it('is fetched anew where it has been damaged', async () => {
    await fetched();
    const name = files().find((file) => file.endsWith('model.gguf'))!;
    truncateSync(join(folder, 'made', name), 5_000_000);
    expect(await openWhole(url, backend)).toBeUndefined();
    await fetched();
    await expectKept();
  });

  it('is not hurt by a record that was cut short', async () => {
    await fetched();
    writeFileSync(join(folder, 'made', `${(await backend.slots())[0]!.split('-')[0]}-2.json`), '{"url":');
    await expectKept();
  });
});

it('lies where TERNLIGHT_CACHE or the system says', () => {
  expect(cacheFolder({ TERNLIGHT_CACHE: '/x', XDG_CACHE_HOME: '/y' }, 'linux', '/home/a')).toBe('/x');
  expect(cacheFolder({ TERNLIGHT_CACHE: 'off' }, 'linux', '/home/a')).toBeUndefined();
  expect(cacheFolder({ XDG_CACHE_HOME: '/y' }, 'linux', '/home/a')).toBe('/y/ternlight');
  expect(cacheFolder({}, 'linux', '/home/a')).toBe('/home/a/.cache/ternlight');
  expect(cacheFolder({}, 'darwin', '/Users/a')).toBe('/Users/a/Library/Caches/ternlight');
  expect(cacheFolder({ LOCALAPPDATA: 'C:\\L' }, 'win32', 'C:\\a')).toBe('C:\\L\\ternlight\\cache');
});

describe('a SHA-256', () => {
  it('that is right is remembered', async () => {
    await fetched({ sha256: digest(data) });
    expect(recordOf().sha256).toBe(digest(data));
    server.requests.length = 0;
    await fetched({ sha256: digest(data) });
    expect(server.requests).toEqual([]);
  });

  it('that is wrong leaves nothing', async () => {
    const wrong = digest(other);
    await expect(fetched({ sha256: wrong })).rejects.toMatchObject({
      code: 'invalid-file',
      message: `source: ${url} has the SHA-256 ${digest(data)}, expected ${wrong}; it was not kept: check the address and the value`,
    });
    expect(files()).toEqual([]);
  });

  it('of what was kept without one is computed from there', async () => {
    await fetched();
    server.requests.length = 0;
    await fetched({ sha256: digest(data) });
    expect(server.requests).toEqual([]);
    await expect(fetched({ sha256: digest(other) })).rejects.toThrow('has the SHA-256');
    await expectKept();
  });

  it('of a known model counts where the size is the known one', async () => {
    await fetched({ known: { bytes: data.length + 1, sha256: digest(other) } });
    await backend.remove((await backend.slots())[0]!);
    await expect(fetched({ known: { bytes: data.length, sha256: digest(other) } })).rejects.toThrow('has the SHA-256');
  });
});

describe('two at once', () => {
  it('download once', async () => {
    server.behaviour.slowMs = 1;
    const waited: number[] = [];
    await Promise.all([fetched(), fetched({ onProgress: (have) => waited.push(have) }), fetched()]);
    expect(server.requests.length).toBe(pieces);
    await expectKept();
  });

  it('go on one after the other where the first gives up', async () => {
    server.behaviour.slowMs = 2;
    const first = await openKept(url, backend, { pieceBytes });
    await first.read(0, 10);
    const second = fetched();
    await first.close();
    await second;
    await expectKept();
  });
});

describe('is refused', () => {
  it('a server that promises more than it has', async () => {
    server.behaviour.liesByBytes = 1000;
    await expect(fetched({ retries: 2 })).rejects.toMatchObject({ code: 'io' });
    Object.assign(server.behaviour, { ignoresRanges: true });
    await expect(fetched({ retries: 2 }, `${server.origin}/2`)).rejects.toThrow(
      /the connection broke at byte 10500000 of 10501000: .*; the server does not do ranges: start again/,
    );
    expect(await openWhole(url, backend)).toBeUndefined();
  });

  it('a server that tells no length', async () => {
    Object.assign(server.behaviour, { ignoresRanges: true, chunked: true });
    await expect(fetched()).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining('cannot be kept: the server does not tell its length'),
    });
    expect(files()).toEqual([]);
  });

  it('what does not fit, before it is downloaded', async () => {
    backend = { ...backend, freeBytes: async () => 1000 };
    await expect(fetched()).rejects.toMatchObject({
      code: 'storage',
      message: `store: ${folder}/made has 1000 bytes free, expected 10500000 for ${url}; remove models that are not needed, or go on with cache: false`,
    });
    expect(server.requests.length).toBe(1);
    expect(files()).toEqual([]);
  });

  it('a disk that fills meanwhile: what came stays for later', async () => {
    let left = 4;
    const { write } = backend;
    const full = Object.assign(new Error('no space'), { code: 'ENOSPC' });
    const { storageError } = await import('../../src/store/backend.ts');
    backend = {
      ...backend,
      write: async (...args) => {
        if (left-- <= 0) throw storageError('disk', 'could not be written', full);
        await write(...args);
      },
    };
    await expect(fetched()).rejects.toThrow('store: disk could not be written: the space is used up');
    left = 100;
    server.requests.length = 0;
    await fetched();
    expect(server.requests.length).toBe(pieces - 4);
    await expectKept();
  });

  it('a folder that cannot be', async () => {
    writeFileSync(join(folder, 'file'), '');
    backend = await fileStore(join(folder, 'file'));
    await expect(fetched()).rejects.toMatchObject({ code: 'storage' });
    expect(statSync(join(folder, 'file')).size).toBe(0);
  });
});
