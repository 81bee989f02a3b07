// The store in real browsers: OPFS from a page and its worker, and the Cache API where there is no OPFS.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packagedModel } from '../../src/index.ts';
import { type Browser, type BrowserKind, type Page, present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { serve, type TestServer } from '../runtimes/server.ts';
import { list, tell, useStore } from './page.ts';
import { type FileServer, fileServer } from './server.ts';

let pages: TestServer;
let files: FileServer;
let url: string;
let tests = 0;

beforeAll(async () => {
  pages = await serve();
  files = await fileServer(readFileSync(fileURLToPath(packagedModel)));
});
afterAll(async () => {
  await pages?.close();
  await files?.close();
});
beforeEach(() => {
  url = `${files.origin}/${++tests}.gguf`;
  files.requests.length = 0;
  files.behaviour.slowMs = 0;
});

const open = (browser: Browser) => browser.open(`${pages.origin}/plain/test/runtimes/page.html`);

async function expectUsed(page: Page, name: string): Promise<void> {
  const told = await useStore(page, url);
  const bytes = files.behaviour.body.length;
  expect(told).toMatchObject({ name, last: bytes, file: { bytes, whole: true }, freed: bytes, left: [] });
  expect(told.listed).toMatchObject([{ url, whole: true }]);
  expect(told.again).toEqual(told.file);
  expect(told.wrong).toMatch(/has the SHA-256 [0-9a-f]{64}, expected 0{64}; it was not kept/);
  expect(told.usedBytes).toBeGreaterThanOrEqual(bytes);
  expect(typeof told.persisted).toBe('boolean');
  expect(files.requests.map((line) => line.split(' ')[0])).toEqual([`/${tests}.gguf`, `/${tests}.gguf2`]);
  // Where the browser tells.
  if (told.freeBytes !== undefined && told.freeBytes !== null) expect(told.freeBytes).toBeGreaterThan(1e8);
}

function inBrowser(kind: BrowserKind, tests: (browser: () => Browser, again: () => Promise<void>) => void): void {
  describe(`in ${kind.name}, the store`, () => {
    let browser: Browser;
    let profile: string;
    beforeAll(async () => {
      profile = mkdtempSync(join(tmpdir(), 'ternlight-'));
      browser = await kind.launch({ profile });
    });
    afterAll(async () => {
      await browser?.close();
      if (profile) rmSync(profile, { recursive: true, force: true, maxRetries: 5 });
    });
    tests(
      () => browser,
      async () => {
        await browser.close();
        browser = await kind.launch({ profile });
      },
    );
  });
}

for (const kind of present([chromium, firefox]))
  inBrowser(kind, (browser, again) => {
    it('downloads on the first visit, makes no request on the second, and outlives the browser', async () => {
      const first = await tell(await open(browser()), url);
      expect(first).toMatchObject({ notes: [], phases: ['header', 'download', 'weights', 'ready'] });
      expect(files.requests.length).toBe(1);
      expect(await tell(await open(browser()), url)).toEqual({ ...first, phases: ['header', 'weights', 'ready'] });
      await again();
      const page = await open(browser());
      expect((await tell(page, url, { cache: 'offline' })).text).toBe(first.text);
      expect((await tell(page, `${url}?other`, { cache: 'offline' })).error).toBe(
        `store: ${url} is not in OPFS as a whole, and offline no request is made; load it once online`,
      );
      expect(files.requests.length).toBe(1);
      expect(await list(page)).toMatchObject({ name: 'OPFS', files: [{ url, whole: true }] });
      await page.close();
    });

    it('is filled, listed, asked for space and emptied from the page itself', async () => {
      const page = await open(browser());
      await expectUsed(page, 'OPFS');
      await page.close();
    });

    it('downloads once for two tabs', async () => {
      const [one, two] = [await open(browser()), await open(browser())];
      files.behaviour.slowMs = 5;
      const [a, b] = await Promise.all([tell(one, url), tell(two, url)]);
      expect([a!.error, b!.error]).toEqual([undefined, undefined]);
      expect([a!.notes, b!.notes]).toEqual([[], []]);
      expect(a!.text).toBe(b!.text);
      expect(files.requests.length).toBe(1);
      await Promise.all([one.close(), two.close()]);
    });

    it('lets the next tab go on where one was closed mid-way', async () => {
      files.behaviour.slowMs = 20;
      const closing = await open(browser());
      const told = tell(closing, url).catch(() => ({}));
      await expect.poll(() => files.requests.length, { timeout: 10_000 }).toBe(1);
      await closing.close();
      await told;
      files.behaviour.slowMs = 0;
      const page = await open(browser());
      expect((await tell(page, url)).notes).toEqual([]);
      await page.close();
    });

    it('is the Cache API where there is no OPFS, and nothing where there is neither', async () => {
      const page = await open(browser());
      await page.call(() => {
        StorageManager.prototype.getDirectory = async () => {
          throw new DOMException('', 'SecurityError');
        };
      });
      await expectUsed(page, 'Cache API');
      const error = await page.call(async () => {
        Object.defineProperty(globalThis, 'caches', { value: undefined });
        const { store } = globalThis as unknown as { store: () => Promise<unknown> };
        return store().then(
          () => 'there',
          (error: Error) => error.message,
        );
      });
      expect(error).toContain('this page has neither OPFS nor the Cache API');
      await page.close();
    });
  });

// Its sessions are private windows, where OPFS throws and nothing lasts; one page at a time.
for (const kind of present([webkit]))
  inBrowser(kind, (browser) => {
    it('is the Cache API, which a page has to hold open, and never in the way', async () => {
      const page = await open(browser());
      const { text, error } = await tell(page, url);
      expect(error).toBeUndefined();
      // What the first worker's cache held went with the worker.
      expect(await tell(page, url)).toMatchObject({ text, phases: ['header', 'download', 'weights', 'ready'] });
      await page.call(async () => {
        Object.assign(globalThis, { held: await caches.open('ternlight') });
      });
      url += '-held';
      files.requests.length = 0;
      expect(await tell(page, url)).toEqual({ text, notes: [], phases: ['header', 'download', 'weights', 'ready'] });
      expect(await tell(page, url)).toEqual({ text, notes: [], phases: ['header', 'weights', 'ready'] });
      expect((await list(page)).name).toBe('Cache API');
      expect(files.requests.length).toBe(1);
      expect(await page.log()).toEqual([]);
      await page.close();
    });

    it('is filled, listed, asked for space and emptied from the page itself', async () => {
      const page = await open(browser());
      await expectUsed(page, 'Cache API');
      await page.close();
    });
  });
