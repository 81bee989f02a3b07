// What a page's model does beyond the conformance program: errors, streams and sessions, across the worker.
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
  it(`${kind.name} tells errors, reads a stream and runs sessions side by side`, async () => {
    const browser = await kind.launch();
    try {
      const page = await browser.open(`${server.origin}/coi/test/runtimes/page.html`);
      const told = await page.call(async () => {
        const api = globalThis as unknown as { load: typeof load };
        const failure = ({ name, message, code }: Error & { code: string }) => ({ name, message, code });
        const missing = await api.load('/coi/nothing.gguf').catch(failure);
        const wrong = await api.load(new Uint8Array(64)).catch(failure);
        const option = await api.load('/coi/model/tinystories-bitnet-11m.gguf', { threads: 0 }).catch(failure);
        const { body } = await fetch('/coi/model/tinystories-bitnet-11m.gguf');
        const model = await api.load(body as ReadableStream<Uint8Array>);
        const session = await model.session();
        for await (const _ of session.generate('Lily', { temperature: 0 })) break;
        const again = await session.generate('Lily', { temperature: 0, maxTokens: 8 }).summary();
        const texts = async (prompts: string[]) => {
          const all = prompts.map((p) => model.generate(p, { temperature: 0, maxTokens: 12 }).summary());
          return (await Promise.all(all)).map(({ text }) => text);
        };
        const pair = await texts(['A dog', 'A cat']);
        const alone = [...(await texts(['A dog'])), ...(await texts(['A cat']))];
        await session.dispose();
        const late = await session.generate('x').summary().catch(failure);
        await model.dispose();
        return { missing, wrong, option, again: again.ids.length, pair, alone, late };
      });
      const name = 'TernlightError';
      expect(told.missing).toMatchObject({ name, code: 'io', message: expect.stringContaining('status 404') });
      expect(told.wrong).toMatchObject({ name, code: 'invalid-file' });
      expect(told.option).toMatchObject({
        ...{ name, code: 'invalid-option' },
        message: 'options: threads is 0, expected an integer from 1 to 64',
      });
      expect(told.again).toBe(8);
      expect(told.pair).toEqual(told.alone);
      expect(told.late).toMatchObject({ name, code: 'disposed' });
      expect((await page.log()).filter((line) => !line.includes('404'))).toEqual([]);
    } finally {
      await browser.close();
    }
  });
