// The store in real Chromium: OPFS from a page and its worker, and the Cache API where there is no OPFS.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { type BrowserContext, chromium, type Page } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { packagedModel } from '../../src/index.ts';
import { serve, type TestServer } from '../runtimes/server.ts';
import { type FileServer, fileServer } from './server.ts';

const executablePath = process.env.CHROMIUM ?? '/usr/bin/chromium';
const present = existsSync(executablePath);
if (!present) console.log(`skipped: Chromium (no ${executablePath}; install it or set CHROMIUM)`);
const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

/** What a page tells of a load. */
interface Told {
  text?: string;
  notes?: readonly string[];
  phases?: string[];
  error?: string;
}

describe.runIf(present)('in Chromium, the store', () => {
  let pages: TestServer;
  let files: FileServer;
  let context: BrowserContext;
  let profile: string;
  let tests = 0;
  let url: string;

  async function launch(): Promise<void> {
    context = await chromium.launchPersistentContext(profile, {
      executablePath,
      headless: true,
      args: ARGS.split(' '),
    });
  }
  beforeAll(async () => {
    pages = await serve();
    files = await fileServer(readFileSync(fileURLToPath(packagedModel)));
    profile = mkdtempSync(join(tmpdir(), 'ternlight-'));
    await launch();
  });
  afterAll(async () => {
    await context?.close();
    await pages?.close();
    await files?.close();
    if (profile) rmSync(profile, { recursive: true, force: true });
  });
  beforeEach(() => {
    url = `${files.origin}/${++tests}.gguf`;
    files.requests.length = 0;
  });

  async function open(script?: string): Promise<Page> {
    const page = await context.newPage();
    if (script) await page.addInitScript(script);
    await page.goto(`${pages.origin}/plain/test/runtimes/page.html`);
    await page.waitForFunction('globalThis.ready', null, { timeout: 20_000 });
    return page;
  }

  function tell(page: Page, address: string, options: object = {}): Promise<Told> {
    return page.evaluate(
      async ([address, options]) => {
        const { load } = globalThis as unknown as { load: typeof import('../../src/index.ts').load };
        const phases: string[] = [];
        const onProgress = ({ phase }: { phase: string }) => {
          if (phases.at(-1) !== phase) phases.push(phase);
        };
        try {
          const model = await load(address, { ...options, threads: 1, onProgress });
          const { text } = await model.generate('Once', { temperature: 0, maxTokens: 5 }).summary();
          const { notes } = model.info;
          await model.dispose();
          return { text, notes, phases };
        } catch (error) {
          return { error: (error as Error).message };
        }
      },
      [address, options] as const,
    );
  }

  const list = (page: Page) =>
    page.evaluate(async () => {
      const { store } = globalThis as unknown as { store: typeof import('../../src/index.ts').store };
      const { name, list } = await store();
      return { name, files: await list() };
    });

  it('downloads on the first visit, makes no request on the second, and outlives the browser', async () => {
    const first = await tell(await open(), url);
    expect(first).toMatchObject({ notes: [], phases: ['header', 'download', 'weights', 'ready'] });
    expect(files.requests.length).toBe(1);
    expect(await tell(await open(), url)).toEqual({ ...first, phases: ['header', 'weights', 'ready'] });
    await context.close();
    await launch();
    const page = await open();
    await context.setOffline(true);
    expect((await tell(page, url, { cache: 'offline' })).text).toBe(first.text);
    expect((await tell(page, url)).text).toBe(first.text);
    expect((await tell(page, `${url}?other`, { cache: 'offline' })).error).toBe(
      `store: ${url} is not in OPFS as a whole, and offline no request is made; load it once online`,
    );
    await context.setOffline(false);
    expect(files.requests.length).toBe(1);
    const kept = await list(page);
    expect(kept.name).toBe('OPFS');
    expect(kept.files).toMatchObject([{ url, whole: true }]);
    await page.close();
  });

  it('is filled, listed, asked for space and emptied from the page itself', async () => {
    const page = await open();
    const told = await page.evaluate(async (url) => {
      const { store } = globalThis as unknown as { store: typeof import('../../src/index.ts').store };
      const kept = await store();
      let last = 0;
      const file = await kept.download(url, { onProgress: ({ loadedBytes }) => (last = loadedBytes) });
      const wrong = await kept.download(`${url}2`, { sha256: '0'.repeat(64) }).catch((e: Error) => e.message);
      const { usedBytes, freeBytes } = await kept.estimate();
      const persisted = await kept.persist();
      const freed = await kept.remove(url);
      return { last, file, wrong, usedBytes, freeBytes, persisted, freed, left: await kept.list() };
    }, url);
    const size = files.behaviour.body.length;
    expect(told).toMatchObject({ last: size, file: { bytes: size, whole: true }, freed: size, persisted: false });
    expect(told.wrong).toMatch(/has the SHA-256 [0-9a-f]{64}, expected 0{64}; it was not kept/);
    expect(told.usedBytes).toBeGreaterThanOrEqual(size);
    expect(told.freeBytes).toBeGreaterThan(1e8);
    expect(told.left.filter((file) => file.url.startsWith(url))).toEqual([]);
    await page.close();
  });

  it('downloads once for two tabs', async () => {
    const [one, two] = [await open(), await open()];
    files.behaviour.slowMs = 5;
    const [a, b] = await Promise.all([tell(one, url), tell(two, url)]);
    files.behaviour.slowMs = 0;
    expect([a!.error, b!.error]).toEqual([undefined, undefined]);
    expect(a!.text).toBe(b!.text);
    expect(files.requests.length).toBe(1);
    await Promise.all([one.close(), two.close()]);
  });

  it('lets the next tab go on where one was closed mid-way', async () => {
    files.behaviour.slowMs = 20;
    const closing = await open();
    const told = tell(closing, url).catch(() => ({}));
    await expect.poll(() => files.requests.length, { timeout: 10_000 }).toBe(1);
    await closing.close();
    await told;
    files.behaviour.slowMs = 0;
    const page = await open();
    expect((await tell(page, url)).notes).toEqual([]);
    await page.close();
  });

  it('says that there is not enough space, and loads all the same', async () => {
    const page = await open();
    const cdp = await context.newCDPSession(page);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: pages.origin, quotaSize: 2e6 });
    const strict = await tell(page, url, { cache: true });
    const easy = await tell(page, url);
    await cdp.send('Storage.overrideQuotaForOrigin', { origin: pages.origin });
    expect(strict.error).toMatch(/^store: OPFS (could not be written: the space is used up|has \d+ bytes free)/);
    expect(easy.text).toBeTruthy();
    expect(easy.notes).toEqual([expect.stringMatching(/^not kept: store: OPFS /)]);
    expect((await list(page)).files.filter((file) => file.url === url && file.whole)).toEqual([]);
    await page.close();
  });

  it('is the Cache API where there is no OPFS, and nothing where there is neither', async () => {
    const noFiles = `StorageManager.prototype.getDirectory = async () => { throw new DOMException('', 'SecurityError'); };`;
    const page = await open(noFiles);
    const told = await page.evaluate(async (url) => {
      const { store } = globalThis as unknown as { store: typeof import('../../src/index.ts').store };
      const kept = await store();
      const file = await kept.download(url);
      const again = await kept.download(url);
      const listed = await kept.list();
      const freed = await kept.remove(url);
      return { name: kept.name, file, again, listed, freed, left: await kept.list() };
    }, url);
    const size = files.behaviour.body.length;
    expect(told).toMatchObject({ name: 'Cache API', listed: [{ url, whole: true }], freed: size, left: [] });
    expect(told.again).toEqual(told.file);
    expect(files.requests.length).toBe(1);
    await page.close();
    const bare = await open(`${noFiles} delete globalThis.caches; delete Window.prototype.caches;`);
    const error = await list(bare).catch((e: Error) => e.message);
    expect(error).toContain('this page has neither OPFS nor the Cache API');
    await bare.close();
  });
});
