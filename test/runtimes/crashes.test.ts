// A worker that is gone, fails or gets no memory: an error on every promise, and the page can load again.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { type Browser, present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { greedy } from './greedy.mjs';
import { serve, type TestServer } from './server.ts';

type Scope = { ternlight: typeof import('../../src/index.ts'); greedy: typeof greedy };

let server: TestServer;
let expected: number[];

beforeAll(async () => {
  server = await serve();
  expected = (await greedy({ load }, { threads: 1 })).ids!;
});
afterAll(() => server?.close());

for (const kind of present([chromium, firefox, webkit]))
  describe(kind.name, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await kind.launch();
    });
    afterAll(() => browser?.close());

    it.each([
      ['vanishes, which no event tells', '', 'it was ended from outside'],
      ['throws', 'no room for worker', 'no room for worker'],
    ])('a worker that %s, in the middle of an answer', async (_, thrown, reason) => {
      const page = await browser.open(`${server.origin}/coi/test/runtimes/page.html`);
      const told = await page.call(async (thrown) => {
        const { ternlight, greedy } = globalThis as unknown as Scope;
        // The page's own handle of the worker, which the library does not show.
        const RealWorker = globalThis.Worker;
        const workers: Worker[] = [];
        globalThis.Worker = class extends RealWorker {
          constructor(url: string | URL, options?: WorkerOptions) {
            super(url, options);
            workers.push(this);
          }
        };
        const model = await ternlight.load(undefined, { threads: 1 });
        const failed = (promise: Promise<unknown>) =>
          promise.then(
            () => 'no error',
            ({ code, message }: { code: string; message: string }) => `${code}: ${message}`,
          );
        const errors: string[] = [];
        const session = await model.session();
        const other = failed(session.generate('A cat', { temperature: 0 }).summary());
        try {
          let pieces = 0;
          for await (const _ of model.generate('Once', { temperature: 0 }))
            if (++pieces === 3) {
              if (thrown) workers[0]!.dispatchEvent(new ErrorEvent('error', { message: thrown, cancelable: true }));
              else workers[0]!.terminate();
            }
          errors.push('no error');
        } catch (error) {
          const { code, message } = error as { code: string; message: string };
          errors.push(`${code}: ${message}`);
        }
        errors.push(await other, await failed(model.tokenize('x')), await failed(session.truncate(0)));
        await model.dispose();
        return { errors, again: await greedy(ternlight) };
      }, thrown);
      expect(await page.log()).toEqual([]);
      await page.close();
      for (const error of told.errors)
        expect(error).toMatch(
          new RegExp(`^environment: engine: its worker died \\(${reason}\\); .* load the model again`),
        );
      expect(told.again.ids).toEqual(expected);
    });

    it('a worker that stands still while it starts threads: once more, with one', async () => {
      const page = await browser.open(`${server.origin}/coi/test/runtimes/page.html`);
      const told = await page.call(async () => {
        const { ternlight, greedy } = globalThis as unknown as Scope;
        // As Firefox's now and then: the first worker never gets beyond what it is asked to load.
        const { postMessage } = Worker.prototype;
        let first: Worker | undefined;
        Worker.prototype.postMessage = function (this: Worker, ...args: [never]) {
          first ??= this;
          if (this !== first) postMessage.apply(this, args);
        };
        return greedy(ternlight);
      });
      await page.close();
      expect(told).toMatchObject({ ids: expected, threads: 1 });
      expect(told.threadsNote).toMatch(/^one thread: with more, engine: its worker died \(no answer for 15 s\)/);
    });

    it('more memory than there is', async () => {
      const page = await browser.open(`${server.origin}/coi/test/runtimes/page.html`);
      const told = await page.call(async () => {
        const { ternlight, greedy } = globalThis as unknown as Scope;
        const huge = await greedy(ternlight, { contextLength: 2 ** 22 });
        return { huge, again: await greedy(ternlight) };
      });
      await page.close();
      expect(told.huge.error).toMatch(
        /^environment: memory: the model with contextLength 4194304, kv "f16".* needs \d+ MB, expected at most .*; contextLength \d+/,
      );
      expect(told.again.ids).toEqual(expected);
    });
  });
