// Sets of files, from an address and from a page; and the small files read out of them.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { blobFileSet, urlFileSet } from '../../src/formats/file-set.ts';
import { readFile } from '../../src/formats/hf-files.ts';
import { readRepository } from '../../src/formats/hf-repository.ts';
import { streamSource } from '../../src/formats/source.ts';
import { expectBytes } from '../truth.ts';

const golden = (name: string) =>
  new Uint8Array(readFileSync(new URL(`../golden/safetensors/${name}`, import.meta.url)));
const config = golden('tiny-llama-packed.config.json');
const weights = golden('tiny-llama-packed.safetensors');

interface Server {
  fetch: typeof fetch;
  urls: string[];
}

/** @param files by path below the host; numbers are a status without content */
function server(files: Record<string, Uint8Array | number>, { length = true, ranges = true } = {}): Server {
  const urls: string[] = [];
  return {
    urls,
    fetch: async (input, init) => {
      urls.push(String(input));
      const found = files[decodeURIComponent(new URL(String(input)).pathname)] ?? 404;
      if (typeof found === 'number') return new Response('<html>no</html>', { status: found });
      const from = ranges ? Number(/\d+/.exec(new Headers(init?.headers).get('range') ?? '')?.[0] ?? 0) : 0;
      const body = found.slice(from);
      const headers: Record<string, string> = length ? { 'content-length': String(body.length) } : {};
      if (ranges) headers['content-range'] = `bytes ${from}-${found.length - 1}/${length ? found.length : '*'}`;
      return new Response(body, { status: ranges ? 206 : 200, headers });
    },
  };
}

test.each<[string, string]>([
  ['https://host.test/org/tiny/resolve/main', 'https://host.test/org/tiny/resolve/main/config.json'],
  ['https://host.test/org/tiny/resolve/main/', 'https://host.test/org/tiny/resolve/main/config.json'],
  [
    'https://host.test/org/tiny/resolve/main?key=secret',
    'https://host.test/org/tiny/resolve/main/config.json?key=secret',
  ],
])('a repository at %s', async (base, first) => {
  const folder = '/org/tiny/resolve/main';
  const { fetch, urls } = server({ [`${folder}/config.json`]: config, [`${folder}/model.safetensors`]: weights });
  const set = urlFileSet(base, { fetch });
  expect(set.name).toBe('https://host.test/org/tiny/resolve/main');
  const file = await readRepository(set);
  expect(urls[0]).toBe(first);
  expect(file.metadata.string('general.name')).toBe('tiny');
  const local = await readRepository(
    blobFileSet(
      new Map([
        ['config.json', new Blob([config])],
        ['model.safetensors', new Blob([weights])],
      ]),
    ),
  );
  const size = file.source.byteLength!;
  expectBytes(await file.source.read(0, size), await local.source.read(0, size));
  await file.source.close();
  await expect(file.source.read(0, size)).rejects.toThrow('has been closed');
});

test('what an address does not have is no file; what it does not give is an error', async () => {
  const { fetch, urls } = server({ '/a/gone': 410, '/a/secret': 403, '/a/broken': 500, '/a/a b%#?': Uint8Array.of(7) });
  const set = urlFileSet('https://host.test/a', { fetch, retryMs: 1 });
  expect(await set.open('missing')).toBeUndefined();
  expect(await set.open('gone')).toBeUndefined();
  await expect(set.open('secret')).rejects.toMatchObject({
    code: 'io',
    message:
      'source: https://host.test/a/secret answered with status 403, expected 200 or 206; it needs a permission, perhaps an access token in the headers',
  });
  await expect(set.open('broken')).rejects.toThrow('answered with status 500');
  expect((await set.open('a b%#?'))!.byteLength).toBe(1);
  expect(urls.at(-1)).toBe('https://host.test/a/a%20b%25%23%3F');
  const stop = new AbortController();
  stop.abort(new Error('enough'));
  await expect(set.open('missing', stop.signal)).rejects.toThrow('enough');
});

test('a network that is not there is no missing file', async () => {
  const set = urlFileSet('https://host.test/a', { fetch: () => Promise.reject(new TypeError('offline')), retryMs: 1 });
  await expect(set.open('config.json')).rejects.toThrow(
    'source: https://host.test/a/config.json could not be had: offline',
  );
});

test.each([
  [0, true],
  [5, false],
  [3_000_000, false],
  [3_000_000, true],
])('%i bytes are read as a whole, length told: %s', async (size, length) => {
  const data = new Uint8Array(size).map((_, i) => (i * 7) ^ (i >> 8));
  const { fetch } = server({ '/a/x': data }, { length, ranges: false });
  expectBytes((await readFile(urlFileSet('https://host.test/a', { fetch }), 'x'))!, data);
});

test('a stream that breaks off is an error, not a short file', async () => {
  const stream = new ReadableStream<Uint8Array>({
    start: (controller) => controller.enqueue(Uint8Array.of(1, 2)),
    pull: (controller) => controller.error(new Error('cut')),
  });
  const set = { name: 'x', open: async () => streamSource(stream) };
  await expect(readFile(set, 'config.json')).rejects.toThrow('broke off');
});

function picked(path: string, bytes: Uint8Array<ArrayBuffer>): File {
  const file = new File([bytes], path.split('/').at(-1)!);
  // As browsers have it, "" for files that were chosen one by one.
  return Object.defineProperty(file, 'webkitRelativePath', { value: path.includes('/') ? path : '' });
}

test.each([
  ['a folder', 'tiny/', 'tiny'],
  ['files', '', 'files'],
])('%s chosen on a page', async (_, prefix, name) => {
  const files = [
    picked(`${prefix}config.json`, config),
    picked(`${prefix}model.safetensors`, weights),
    ...(prefix === '' ? [] : [picked(`${prefix}onnx/config.json`, Uint8Array.of(1))]),
  ];
  const set = blobFileSet(files);
  expect(set.name).toBe(name);
  expect((await readRepository(set)).tensors).toHaveLength(21);
  expect(await set.open('tokenizer.json')).toBeUndefined();
  expect(await set.open('onnx/config.json')).toEqual(
    prefix === '' ? undefined : expect.objectContaining({ byteLength: 1 }),
  );
  expect(blobFileSet(files, 'mine').name).toBe('mine');
});

test('two files of one name are not a model', () => {
  expect(() => blobFileSet([picked('config.json', config), picked('config.json', config)])).toThrow(
    'files: config.json is there twice, expected the files of one model',
  );
});
