// load and the command line by way of the store.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { inspect, type LoadOptions, load, loadTokenizer, packagedModel, store } from '../../src/index.ts';
import { runCli } from '../cli/harness.ts';
import { type FileServer, fileServer } from './server.ts';

const model = readFileSync(fileURLToPath(packagedModel));
let server: FileServer;
let folder: string;
let url: string;

beforeEach(async () => {
  server = await fileServer(model);
  folder = mkdtempSync(join(tmpdir(), 'ternlight-store-'));
  process.env.TERNLIGHT_CACHE = folder;
  url = `${server.origin}/model.gguf`;
});
afterEach(async () => {
  process.env.TERNLIGHT_CACHE = 'off';
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

async function notesOf(options: LoadOptions = {}, source: string | URL = url): Promise<readonly string[]> {
  const loaded = await load(source, { threads: 1, ...options });
  await loaded.dispose();
  return loaded.info.notes;
}

describe('load', () => {
  it('keeps by itself, and then asks nobody', async () => {
    const phases: string[] = [];
    expect(await notesOf({ onProgress: ({ phase }) => phases.at(-1) !== phase && phases.push(phase) })).toEqual([]);
    expect(phases).toEqual(['header', 'download', 'weights', 'ready']);
    expect(server.requests.length).toBe(1);
    await server.close();
    await notesOf();
    await notesOf({ cache: 'offline' }, new URL(url));
    expect((await inspect(url, { cache: 'offline' })).format).toBe('GGUF v3');
    await loadTokenizer(url, { cache: 'offline' });
  });

  it('makes no request offline, whether it is kept or not', async () => {
    const error = { code: 'storage', message: expect.stringContaining(`${url} is not in ${folder} as a whole`) };
    for (const use of [load, inspect, loadTokenizer])
      await expect(use(url, { cache: 'offline' })).rejects.toMatchObject(error);
    await expect(load('hf:o/r/x.gguf', { cache: 'offline', hub: server.origin })).rejects.toMatchObject({
      code: 'storage',
    });
    expect(server.requests).toEqual([]);
  });

  it('keeps nothing where it is not wanted, or only the header is read', async () => {
    await notesOf({ cache: false });
    await inspect(url);
    await loadTokenizer(url);
    expect(readdirSync(folder)).toEqual([]);
    expect(server.requests.length).toBe(3);
  });

  it('goes on without the store where that fails, and says so', async () => {
    process.env.TERNLIGHT_CACHE = join(folder, 'file');
    writeFileSync(join(folder, 'file'), '');
    expect(await notesOf()).toEqual([expect.stringMatching(/^not kept: store: .*file could not be /)]);
    await expect(notesOf({ cache: true })).rejects.toMatchObject({ code: 'storage' });
    process.env.TERNLIGHT_CACHE = 'off';
    expect(await notesOf()).toEqual(['not kept: store: TERNLIGHT_CACHE is "off": nothing is kept']);
    Object.assign(server.behaviour, { ignoresRanges: true, chunked: true });
    process.env.TERNLIGHT_CACHE = folder;
    expect(await notesOf()).toEqual([expect.stringContaining('the server does not tell its length')]);
  });

  it('refuses a wrong SHA-256, and options that make no sense', async () => {
    const sha256 = '0'.repeat(64);
    await expect(notesOf({ sha256 })).rejects.toMatchObject({ code: 'invalid-file' });
    expect(readdirSync(folder)).toEqual([]);
    for (const options of [{ sha256: 'abc' }, { cache: 'always' as 'auto' }, { sha256, cache: false }])
      await expect(notesOf(options)).rejects.toMatchObject({ code: 'invalid-option' });
    await expect(notesOf({ sha256 }, fileURLToPath(packagedModel))).rejects.toThrow(
      'sha256 is of one file at an address',
    );
    await expect(inspect(url, { sha256 })).rejects.toMatchObject({ code: 'storage' });
  });

  it('keeps what was begun of a file that it cannot use for no longer than that takes', async () => {
    server.behaviour.body = Buffer.alloc(9_000_000, 'not a model');
    await expect(notesOf()).rejects.toMatchObject({ code: 'invalid-file' });
    expect(readdirSync(folder).filter((name) => name.endsWith('.lock'))).toEqual([]);
  });

  it('keeps the files of a repository, and that there are none of some names', async () => {
    const golden = (name: string) => readFileSync(new URL(`../golden/safetensors/${name}`, import.meta.url));
    server.behaviour.files = {
      '/o/r/resolve/main/config.json': golden('tiny-bitnet-packed.config.json'),
      '/o/r/resolve/main/model.safetensors': golden('tiny-bitnet-packed.safetensors'),
    };
    const hub = server.origin;
    const first = await notesOf({ hub }, 'hf:o/r');
    expect(server.requests.length).toBeGreaterThan(2);
    server.requests.length = 0;
    expect(await notesOf({ hub, cache: 'offline' }, 'hf:o/r')).toEqual(first);
    expect(await notesOf({ hub }, 'hf:o/r')).toEqual(first);
    expect(server.requests).toEqual([]);
    const kept = await store();
    expect((await kept.list()).map((file) => file.url.slice(hub.length)).sort()).toEqual(
      Object.keys(server.behaviour.files),
    );
    // What was not there may have come.
    await notesOf({ hub, cache: 'refresh' }, 'hf:o/r');
    expect(server.requests.some((line) => line.includes('tokenizer'))).toBe(true);
    await kept.remove('hf:o/r', { hub });
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('store()', () => {
  it('lists, counts and removes', async () => {
    const kept = await store();
    expect(kept.name).toBe(folder);
    expect(await kept.list()).toEqual([]);
    const file = await kept.download(`${url}?token=secret`);
    expect(file).toMatchObject({ url, bytes: model.length, storedBytes: model.length, whole: true });
    expect(readFileSync(join(folder, readdirSync(folder).find((n) => n.endsWith('.json'))!), 'utf8')).not.toContain(
      'secret',
    );
    await kept.download(`${server.origin}/repo/b.gguf`);
    expect((await kept.estimate()).usedBytes).toBe(2 * model.length);
    expect(await kept.remove(`${server.origin}/repo`)).toBe(model.length);
    expect(await kept.remove(`${server.origin}/rep`)).toBe(0);
    expect(await kept.remove(url)).toBe(model.length);
    expect(readdirSync(folder)).toEqual([]);
    expect(await kept.persist()).toBe(true);
    server.behaviour.slowMs = 5;
    const download = kept.download(url);
    await expect.poll(() => kept.list()).toHaveLength(1);
    await expect(kept.remove(url)).rejects.toThrow(`store: ${url} is being downloaded; end that first, or wait for it`);
    server.behaviour.slowMs = 0;
    await download;
    await kept.remove(url);
    await expect(kept.download('model.gguf')).rejects.toThrow(
      'store: source is "model.gguf", expected an http(s) address',
    );
    await expect(kept.download(`${server.origin}/missing`)).rejects.toMatchObject({ code: 'io' });
  });
});

describe('ternlight cache', () => {
  it('adds, lists, removes', async () => {
    expect((await runCli(['cache'])).stdout).toBe(`nothing is kept in ${folder}\n`);
    expect((await runCli(['cache', 'path'])).stdout).toBe(`${folder}\n`);
    const { code, stdout } = await runCli(['cache', 'add', url, '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({ url, whole: true });
    const listed = (await runCli(['cache', 'list'])).stdout;
    expect(listed).toMatch(
      /^file +size +state +saved\nhttp:\S+\/model\.gguf +3\.\d\d MB +whole +20\d\d-\d\d-\d\d\n3\.\d\d MB in /,
    );
    const run = await runCli(['run', 'Once', '-n', '3', '-m', url, '--offline']);
    expect(run).toMatchObject({ code: 0, stderr: expect.not.stringContaining('not kept') });
    expect((await runCli(['cache', 'remove', url])).stdout).toMatch(/^3\.\d\d MB freed\n$/);
    expect((await runCli(['run', 'Once', '-m', url, '--offline'])).stderr).toContain('offline no request is made');
    expect(server.requests.length).toBe(1);
  });

  it('refuses what it does not know', async () => {
    expect((await runCli(['cache', 'clear'])).stderr).toContain(
      'ACTION: got "clear", expected list, add, remove or path',
    );
    expect((await runCli(['cache', 'add'])).stderr).toContain('add: got no SOURCE, expected one');
    expect((await runCli(['cache', 'list', 'x'])).stderr).toContain('list: got "x", expected none');
    expect((await runCli(['run', 'x', '--offline', '--refresh'])).stderr).toContain('--refresh: got --offline too');
  });
});
