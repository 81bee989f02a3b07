// What strangers' files, addresses and options may do: one clear error, before memory is taken; then life goes on.

import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGguf } from '../src/formats/gguf.ts';
import { bytesSource } from '../src/formats/source.ts';
import { inspect, type LoadOptions, load, loadTokenizer, packagedModel, TernlightError } from '../src/index.ts';
import { hasTruth, truthPath } from './truth.ts';

const bytes = readFileSync(fileURLToPath(packagedModel));

async function refusal(source: Parameters<typeof load>[0], options: LoadOptions = {}): Promise<TernlightError> {
  const error = await load(source, { threads: 1, ...options }).then(
    () => undefined,
    (e: unknown) => e,
  );
  expect(error, 'it loaded').toBeInstanceOf(TernlightError);
  return error as TernlightError;
}

/** The packaged model with bytes changed at the first place of a text in its header. */
function changed(find: string, replace: string): Uint8Array {
  const copy = Uint8Array.from(bytes);
  const at = bytes.indexOf(find);
  expect(at).toBeGreaterThan(0);
  expect(replace.length).toBe(find.length);
  copy.set(new TextEncoder().encode(replace), at);
  return copy;
}

describe('a file that is not a usable model', () => {
  it('is refused by name', async () => {
    expect((await refusal(changed('bitnet-b1.58', 'bitnet-b1.59'))).message).toMatch(
      /architecture "bitnet-b1.59" is not known/,
    );
    expect((await refusal(changed('blk.2.attn_q.weight', 'blk.2.attn_x.weight'))).message).toMatch(
      /blk\.2\.attn_x\.weight is not part/,
    );
    expect(
      (await refusal(changed('bitnet-b1.58.attention.head_count', 'bitnet-b1.58.attention.xead_count'))).message,
    ).toMatch(/attention\.head_count is missing/);
    expect((await refusal(bytes.subarray(0, 2_000_000))).message).toMatch(/cut short|truncated|ends/);
    expect((await refusal(new Uint8Array(0))).code).toBe('invalid-file');
    expect((await refusal(new TextEncoder().encode('<!doctype html><title>404</title>'))).message).toMatch(/web page/);
  });

  it('is refused where its shapes do not fit', async () => {
    const file = await readGguf(bytesSource(bytes));
    const q = file.tensors.find((t) => t.name === 'blk.0.attn_q.weight')!;
    // The dims stand after the name's bytes and the count of dims.
    const at = bytes.indexOf('blk.0.attn_q.weight') + q.name.length + 4;
    const copy = Uint8Array.from(bytes);
    new DataView(copy.buffer).setBigUint64(at + 8, 256n, true);
    const { code, message } = await refusal(copy);
    expect(code).toBe('invalid-file');
    expect(message).toMatch(/blk\.0\.attn_q\.weight.*\[512, 256\].*\[512, 512\]|offset|gap/);
  });

  it('is refused with a scale that is no number, naming the tensor', async () => {
    const file = await readGguf(bytesSource(bytes));
    const tensor = file.tensors.find((t) => t.encoding.name === 'TQ2_0')!;
    const copy = Uint8Array.from(bytes);
    new DataView(copy.buffer).setUint16(tensor.offsetBytes + 64, 0x7e00, true);
    expect((await refusal(copy)).message).toContain(tensor.name);
  });

  it('may be a vocabulary, which only tokenizes', async () => {
    if (!hasTruth('truth/tokenizers', 'vocabulary-only files')) return;
    const path = truthPath('truth/tokenizers/ggml-vocab-gpt-2.gguf');
    expect((await refusal(path)).message).toMatch(/vocabulary-only/);
    expect((await loadTokenizer(path)).encode('Hello, I am')).toEqual([15496, 11, 314, 716]);
    expect((await inspect(path)).memory).toBeUndefined();
  });

  it('of the malformed set is refused, its control accepted', async () => {
    if (!hasTruth('truth/malformed', 'malformed files')) return;
    const manifest = JSON.parse(readFileSync(truthPath('truth/malformed/manifest.json'), 'utf8')) as {
      file: string;
      expect: string;
    }[];
    for (const { file, expect: wanted } of manifest) {
      const path = truthPath(`truth/malformed/${file}`);
      if (wanted === 'reject') await refusal(path);
      else await (await load(path, { threads: 1 })).dispose();
    }
  });
});

describe('an option', () => {
  it.each<[LoadOptions, RegExp]>([
    [{ kv: 'i2' as never }, /kv is "i2", expected "f16", "f32", "i8" or "i4"/],
    [{ head: 'best' as never }, /head is "best", expected "auto", "stored", "int8" or "fast"/],
    [{ contextLength: 0 }, /contextLength is 0/],
    [{ contextLength: 1.5 }, /contextLength is 1.5/],
    [{ threads: -1 }, /threads is -1/],
    [{ sessions: 0 }, /sessions is 0/],
    [{ chunkTokens: 17 }, /chunkTokens is 17, expected a multiple of 16/],
    [{ variant: 'avx' as never }, /variant is "avx"/],
    [{ kernel: 'magic' as never }, /kernel is "magic"/],
  ])('%j is refused', async (options, message) => {
    const error = await refusal(undefined, options);
    expect(error.code).toBe('invalid-option');
    expect(error.message).toMatch(message);
  });

  it('that needs too much memory is refused before any is taken', async () => {
    const before = process.memoryUsage().rss;
    const error = await refusal('synthetic:llama3-8b-1.58', { contextLength: 2 ** 18 });
    expect(error.code).toBe('environment');
    expect(error.message).toMatch(
      /needs \d+ MB, expected at most the 4295 MB that 32-bit WebAssembly can have; contextLength \d+/,
    );
    expect(process.memoryUsage().rss - before).toBeLessThan(300e6);
  });

  it('of a generation is refused', async () => {
    const model = await load(undefined, { threads: 1 });
    const fail = async (options: object, prompt: string | number[] = 'Once') =>
      model
        .generate(prompt, options)
        .summary()
        .then(
          () => undefined,
          (e: TernlightError) => `${e.code}: ${e.message}`,
        );
    expect(await fail({ temperature: -1 })).toMatch(/invalid-option: .*temperature/);
    expect(await fail({ topP: 2 })).toMatch(/invalid-option: .*topP/);
    expect(await fail({ seed: 0.5 })).toMatch(/invalid-option: .*seed/);
    expect(await fail({ maxTokens: -1 })).toMatch(/invalid-option: .*maxTokens/);
    expect(await fail({}, [])).toMatch(/invalid-option/);
    expect(await fail({}, [99999])).toMatch(/invalid-option: .*99999/);
    expect(await fail({}, Array(600).fill(5))).toMatch(/context-full: .*600.*512/);
    // And the model goes on.
    expect(await fail({ maxTokens: 3 })).toBeUndefined();
    await model.dispose();
  });
});

describe('an address', () => {
  let server: Server;
  let origin: string;
  beforeAll(async () => {
    server = createServer((request, response) => {
      if (request.url === '/whole')
        response.writeHead(200, { 'content-length': bytes.length }).end(bytes); // ignores ranges
      else if (request.url === '/broken') {
        response.writeHead(200, { 'content-length': bytes.length });
        response.write(bytes.subarray(0, 1_500_000), () => response.destroy());
      } else response.writeHead(404).end();
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(() => new Promise<void>((resolve) => server.close(() => resolve())));

  it('that is not there, breaks midway, or has no host is an error', async () => {
    expect((await refusal(`${origin}/nothing`)).message).toMatch(/404/);
    expect((await refusal(`${origin}/broken`)).code).toBe('io');
    expect((await refusal('http://127.0.0.1:9/x')).code).toBe('io');
    expect((await refusal('/no/such/file.gguf')).code).toBe('io');
  });

  it('of a server that ignores ranges serves as one stream', async () => {
    const model = await load(`${origin}/whole`, { threads: 1 });
    expect(model.info.layers).toBe(5);
    await model.dispose();
  });

  it('can be given up while it loads', async () => {
    const controller = new AbortController();
    const loading = load('synthetic:bitnet-0.7b', {
      threads: 1,
      signal: controller.signal,
      onProgress: ({ loadedBytes }) => loadedBytes > 1e6 && controller.abort(new Error('enough')),
    });
    await expect(loading).rejects.toThrow('enough');
  });
});

describe('sources', () => {
  it('of every kind give the same model', async () => {
    const blob = new Blob([bytes]);
    const sources = [
      fileURLToPath(packagedModel),
      packagedModel,
      blob,
      bytes,
      Uint8Array.from(bytes).buffer,
      blob.stream(),
      bytesSource(bytes),
    ];
    const texts = new Set<string>();
    for (const source of sources) {
      const model = await load(source, { threads: 1 });
      texts.add((await model.generate('Once upon a time', { temperature: 0, maxTokens: 12 }).summary()).text);
      await model.dispose();
    }
    expect(texts.size).toBe(1);
  });
});

describe('the revectorizer', () => {
  it('changes no bit where it is there, and is refused where it is not', async () => {
    const ids = [1, 2, 3, 4, 5];
    const row = async (revectorize: boolean) => {
      const model = await load(undefined, { threads: 1, revectorize });
      try {
        for await (const logits of model.logits(ids, { from: 4 })) return logits;
      } finally {
        await model.dispose();
      }
    };
    const there = Number.parseInt(process.versions.v8, 10) >= 13;
    if (!there) {
      await expect(row(true)).rejects.toThrow('options: revectorize needs Node 24 or later, got Node');
      return;
    }
    const plain = await row(false);
    expect(await row(true)).toEqual(plain);
  });
});
