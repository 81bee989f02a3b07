// Opening by name, from a hub on the loopback interface.
import { readFileSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { hubTarget, openHub } from '../../src/hub/open-hub.ts';
import { inspect, load, packagedModel } from '../../src/index.ts';

let server: Server;
let hub: string;
let requests: string[] = [];
const digits = Buffer.from('0123456789');
const packaged = readFileSync(fileURLToPath(packagedModel));

beforeAll(async () => {
  server = createServer(({ url = '', headers }, response) => {
    requests.push(url);
    const data = url.endsWith('/packaged.gguf') ? packaged : digits;
    if (url.includes('gated')) response.writeHead(401).end();
    else if (url.includes('missing')) response.writeHead(404).end();
    else {
      const from = Number(/^bytes=(\d+)-/.exec(headers.range ?? '')?.[1] ?? 0);
      response.writeHead(206, {
        'content-range': `bytes ${from}-${data.length - 1}/${data.length}`,
        'content-length': data.length - from,
      });
      response.end(data.subarray(from));
    }
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  hub = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});

describe('what a name stands for', () => {
  const root = 'https://huggingface.co';

  it.each([
    // Named, known, known to be a repository, not known.
    ['hf:o/r/x.gguf', 'file', `${root}/o/r/resolve/main/x.gguf`, undefined],
    [
      'hf:microsoft/bitnet-b1.58-2B-4T-gguf',
      'file',
      `${root}/microsoft/bitnet-b1.58-2B-4T-gguf/resolve/main/ggml-model-i2_s.gguf`,
      'BitNet b1.58 2B-4T',
    ],
    [
      'hf:Zhayr1/BitMamba-2-1B@v1',
      'file',
      `${root}/Zhayr1/BitMamba-2-1B/resolve/v1/bitmamba_cpp/bitmamba_1b.bin`,
      'BitMamba-2 1B',
    ],
    [
      'hf:MICROSOFT/bitnet-b1.58-2b-4t',
      'files',
      `${root}/MICROSOFT/bitnet-b1.58-2b-4t/resolve/main`,
      'BitNet b1.58 2B-4T (safetensors)',
    ],
    ['hf:someone/else', 'files', `${root}/someone/else/resolve/main`, undefined],
  ])('%s', (text, kind, address, name) => {
    const target = hubTarget(text);
    expect({ kind: target.kind, address: target.address, name: target.known?.name }).toEqual({ kind, address, name });
  });

  it('is not guessed where a repository has several files', () => {
    for (const repo of ['someone/model-GGUF', 'gianni-cor/bitnet_b1_58-large-TQ2_0']) {
      expect(() => hubTarget(`hf:${repo}`)).toThrow(
        `hub: hf:${repo} names a repository of GGUF files, expected one of them: hf:${repo}/FILE.gguf; the names are at ${root}/${repo}/tree/main`,
      );
      expect(hubTarget(`hf:${repo}/x.gguf`).address).toBe(`${root}/${repo}/resolve/main/x.gguf`);
    }
  });

  it.each([
    ['hf:prism-ml/Ternary-Bonsai-8B-mlx-2bit', 'it is packed for MLX'],
    ['hf:prism-ml/Bonsai-27B-gguf', 'qwen35'],
    ['hf:prism-ml/Ternary-Bonsai-2-8B-gguf/x.gguf', 'its weights are rotated'],
    ['hf:tdh111/bitnet-b1.58-2B-4T-GGUF', 'ik_llama.cpp'],
  ])('%s cannot be run', (text, why) => {
    expect(() => hubTarget(text)).toThrow(
      expect.objectContaining({ code: 'unsupported', message: expect.stringContaining(why) }),
    );
  });
});

describe('opening', () => {
  it('gives a file, and those beside it', async () => {
    requests = [];
    const { source, files } = await openHub('hf:o/r/folder/x.gguf@dev', { hub });
    expect(requests).toEqual(['/o/r/resolve/dev/folder/x.gguf']);
    expect(Buffer.from(await source!.read(2, 3)).toString()).toBe('234');
    const beside = await files.open('tokenizer.bin');
    expect(requests).toContain('/o/r/resolve/dev/folder/tokenizer.bin');
    expect(await files.open('missing.json')).toBeUndefined();
    await Promise.all([source!.close(), beside!.close()]);
  });

  it('gives the files of a repository, and asks for none', async () => {
    requests = [];
    const { source, files } = await openHub('hf:someone/else', { hub });
    expect(source).toBeUndefined();
    expect(requests).toEqual([]);
    const config = await files.open('config.json');
    expect(requests).toEqual(['/someone/else/resolve/main/config.json']);
    await config!.close();
  });

  it('says what was tried and what can be done', async () => {
    const offline = { hub: 'http://127.0.0.1:1', retries: 0 };
    const failure = async (text: string, options: Parameters<typeof openHub>[1]) =>
      openHub(text, options).then(
        () => 'it opened',
        ({ code, message }) => `${code} ${message}`,
      );
    expect(await failure('hf:o/r/x.gguf', offline)).toMatch(
      /^io hub: hf:o\/r\/x\.gguf could not be opened: http:\/\/127\.0\.0\.1:1\/o\/r\/resolve\/main\/x\.gguf could not be had: .*; without a network, download http:\/\/127\.0\.0\.1:1\/o\/r\/resolve\/main\/x\.gguf elsewhere and give its path$/,
    );
    expect(await failure('hf:o/gated/x.gguf', { hub })).toMatch(
      /answered with status 401 .*; the repository does not exist, or its owner wants a login: /,
    );
    expect(await failure('hf:o/r/missing.gguf', { hub })).toMatch(/status 404 .*; the repository has no such file/);
    const { files } = await openHub('hf:someone/else', offline);
    await expect(files.open('config.json')).rejects.toThrow(
      /^hub: hf:someone\/else could not be opened: .*; without a network, download the repository elsewhere and give its path$/,
    );
  });

  it('is what a name does wherever a source is wanted', async () => {
    const model = await load('hf:o/r/packaged.gguf', { hub, threads: 1 });
    expect(model.info.parameters).toBe((await inspect()).parameters);
    await model.dispose();
  });

  it('is not an error where it was broken off', async () => {
    const reason = new Error('enough');
    await expect(openHub('hf:o/r/x.gguf', { hub, signal: AbortSignal.abort(reason) })).rejects.toBe(reason);
  });
});
