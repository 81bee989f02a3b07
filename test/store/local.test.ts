// Files of this machine in the store: copied there, opened by name, replaced, removed.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { load, packagedModel, store } from '../../src/index.ts';
import { fileStore } from '../../src/platform/file-store.ts';
import { openWhole } from '../../src/store/keep.ts';
import { keepLocal } from '../../src/store/local.ts';
import { present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { serve } from '../runtimes/server.ts';
import { expectBytes } from '../truth.ts';

const model = readFileSync(fileURLToPath(packagedModel));
const file = (bytes: Uint8Array<ArrayBuffer> = model, name = 'my story.gguf') => new File([bytes], name);
let folder: string;

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'ternlight-store-'));
  process.env.TERNLIGHT_CACHE = folder;
});
afterEach(() => {
  process.env.TERNLIGHT_CACHE = 'off';
  rmSync(folder, { recursive: true, force: true });
});

async function textOf(source: string): Promise<string> {
  const loaded = await load(source, { threads: 1 });
  const { text } = await loaded.generate('Once', { temperature: 0, maxTokens: 5 }).summary();
  await loaded.dispose();
  return text;
}

describe('a file that is added', () => {
  it('is opened by its name', async () => {
    const kept = await store();
    const progress: number[] = [];
    const added = await kept.add(file(), { onProgress: ({ loadedBytes }) => progress.push(loadedBytes) });
    expect(added).toMatchObject({ url: 'local:my story.gguf', bytes: model.length, whole: true });
    expect(progress.at(-1)).toBe(model.length);
    const packaged = await load(undefined, { threads: 1 });
    const { text } = await packaged.generate('Once', { temperature: 0, maxTokens: 5 }).summary();
    await packaged.dispose();
    expect(await textOf('local:my story.gguf')).toBe(text);
    expect(await kept.list()).toEqual([added]);
    expect(await kept.remove('local:my story.gguf')).toBe(model.length);
    await expect(load('local:my story.gguf')).rejects.toMatchObject({
      code: 'storage',
      message: `store: local:my story.gguf is not in ${folder}, expected a file that store().add() has kept`,
    });
  });

  it('takes the place of one of its name, once it is whole', async () => {
    const backend = await fileStore(folder);
    const pieceBytes = 1 << 20;
    const first = model.subarray(0, 2_500_000) as Uint8Array<ArrayBuffer>;
    const second = first.map((byte) => byte ^ 1);
    await keepLocal(file(first), 'a', backend, { pieceBytes });
    const abort = new AbortController();
    const broken = keepLocal(file(second), 'a', backend, {
      ...{ pieceBytes, signal: abort.signal },
      onProgress: () => abort.abort(new Error('enough')),
    });
    await expect(broken).rejects.toThrow('enough');
    const read = async () => {
      const source = await openWhole('local:a', backend);
      const bytes = await source!.read(0, first.length);
      await source!.close();
      return bytes;
    };
    expectBytes(await read(), first);
    await keepLocal(file(second), 'a', backend, { pieceBytes });
    expectBytes(await read(), second);
    expect((await backend.slots()).length).toBe(1);
  });

  it('needs a name and enough space', async () => {
    await expect((await store()).add(new Blob([model]))).rejects.toMatchObject({ code: 'invalid-option' });
    const backend = { ...(await fileStore(folder)), freeBytes: async () => 1000 };
    await expect(keepLocal(file(), 'a', backend, {})).rejects.toMatchObject({
      code: 'storage',
      message: expect.stringContaining(`has 1000 bytes free, expected ${model.length} for local:a`),
    });
    expect(await backend.slots()).toEqual([]);
  });
});

describe.runIf(present([chromium]).length > 0)('in Chromium', () => {
  it('a picked file is kept and opened by its name', async () => {
    const server = await serve();
    const browser = await chromium.launch();
    try {
      const page = await browser.open(`${server.origin}/plain/test/runtimes/page.html`);
      const told = await page.call(async () => {
        const { load, store } = globalThis as unknown as typeof import('../../src/index.ts');
        const blob = await (await fetch('/plain/model/tinystories-bitnet-11m.gguf')).blob();
        const kept = await store();
        const added = await kept.add(new File([blob], 'picked.gguf'));
        const model = await load('local:picked.gguf');
        const { text } = await model.generate('Once', { temperature: 0, maxTokens: 5 }).summary();
        await model.dispose();
        return { text, added, freed: await kept.remove('local:picked.gguf') };
      });
      expect(told).toMatchObject({
        added: { url: 'local:picked.gguf', bytes: model.length, whole: true },
        freed: model.length,
      });
      expect(told.text).toBe(await textOf(fileURLToPath(packagedModel)));
    } finally {
      await browser.close();
      await server.close();
    }
  });
});
