// A model whose memory is just below 4 GiB, in real browsers: reserved as a whole, used at both ends.
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { load } from '../../src/index.ts';
import { present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { serve, type TestServer } from './server.ts';

let server: TestServer;
beforeAll(async () => {
  server = await serve();
});
afterAll(() => server?.close());

for (const kind of present([chromium, firefox, webkit]))
  it(`${kind.name} loads a model of 4.29 GB, and is told what would fit in place of one of 8.6 GB`, async () => {
    const browser = await kind.launch();
    try {
      const page = await browser.open(`${server.origin}/coi/test/runtimes/page.html`);
      const told = await page.call(async () => {
        const api = globalThis as unknown as { load: typeof load };
        const run = async (contextLength: number) => {
          const model = await api.load('synthetic:tiny', { contextLength, sessions: 1, threads: 2 });
          const { ids } = await model.generate([1, 2, 3, 4, 5], { temperature: 0, maxTokens: 20 }).summary();
          const { memory, threads } = model.info;
          await model.dispose();
          return { ids, threads, totalBytes: memory.totalBytes };
        };
        const message = await run(2 ** 23).then(
          () => '',
          (error: Error) => error.message,
        );
        const contextLength = Number(/; contextLength (\d+) /.exec(message)?.[1]);
        return { message, near: await run(contextLength), small: await run(64) };
      });
      expect(told.message).toMatch(
        /contextLength 8388608, .* expected at most the 4295 MB that 32-bit WebAssembly can have; contextLength \d+ or kv "i4" fits$/,
      );
      expect(told.near.totalBytes).toBeGreaterThan(4.29e9);
      expect(told.near.threads).toBe(kind.name === 'WebKit' ? 1 : 2);
      expect(told.near.ids).toEqual(told.small.ids);
      expect(await page.log()).toEqual([]);
    } finally {
      await browser.close();
    }
  });
