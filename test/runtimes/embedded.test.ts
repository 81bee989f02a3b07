// The built module where there is no http: in a webview with a scheme of its own, and in a browser's extension.
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { present } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { inWebview, missingWebview } from '../browsers/webview.ts';
import { type Greedy, greedy } from './greedy.mjs';

type Scope = { ternlight: typeof import('../../src/index.ts'); greedy: typeof greedy };

const root = fileURLToPath(new URL('../../', import.meta.url));
const noWebview = await missingWebview();
if (noWebview) console.log(`skipped: webview (${noWebview})`);
let expected: number[];

beforeAll(async () => {
  expected = (await greedy({ load }, { threads: 1 })).ids!;
});

describe.skipIf(noWebview)('app://', () => {
  const script = (options: object) =>
    `return JSON.stringify({ ...await greedy(ternlight, ${JSON.stringify(options)}), log: pageLog })`;

  it.each([
    ['the packaged model', {}],
    ['an address, of which nothing is kept', { source: '../../model/tinystories-bitnet-11m.gguf' }],
  ])('%s', async (_, options) => {
    const told = JSON.parse(await inWebview(root, 'test/runtimes/page.html', script(options)));
    expect(told).toMatchObject({ ids: expected, threads: 1, notes: [], log: [] });
  });

  it('the extras, and what is found', async () => {
    const told = JSON.parse(await inWebview(root, 'test/runtimes/page.html', script({ source: 'synthetic:tiny' })));
    expect(told.error).toBeUndefined();
    expect(told.ids.length).toBe(24);
    const examine = 'return JSON.stringify(await ternlight.examine({ measure: false }))';
    const { findings } = JSON.parse(await inWebview(root, 'test/runtimes/page.html', examine));
    expect(findings).toContainEqual({ what: 'workers', ok: true, detail: 'they start, from a blob' });
  });
});

describe.runIf(present([chromium]).length > 0)("Chromium's extension", () => {
  let folder: string;
  let browser: ChromiumBrowser;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'ternlight-extension-'));
    const pages = ['page.html', 'page-log.js', 'page.mjs', 'conformance.mjs', 'greedy.mjs', 'in-worker.mjs'];
    mkdirSync(join(folder, 'test/runtimes'), { recursive: true });
    for (const file of pages) cpSync(join(root, 'test/runtimes', file), join(folder, 'test/runtimes', file));
    for (const part of ['dist', 'model']) cpSync(join(root, part), join(folder, part), { recursive: true });
    const manifest = {
      manifest_version: 3,
      name: 'ternlight',
      version: '1',
      background: { service_worker: 'test/runtimes/in-worker.mjs', type: 'module' },
      content_security_policy: { extension_pages: "script-src 'self' 'wasm-unsafe-eval'; object-src 'self'" },
    };
    writeFileSync(join(folder, 'manifest.json'), JSON.stringify(manifest));
    const args = [`--load-extension=${folder}`, `--disable-extensions-except=${folder}`];
    browser = (await chromium.launch({ args })) as ChromiumBrowser;
  });
  afterAll(async () => {
    await browser?.close();
    if (folder) rmSync(folder, { recursive: true, force: true });
  });

  const background = async () =>
    browser.context.serviceWorkers()[0] ?? (await browser.context.waitForEvent('serviceworker'));

  it('its pages: two threads, from the file', async () => {
    const page = await browser.open(
      new URL('test/runtimes/page.html', (await background()).url().replace(/test\/.*/, '')).href,
    );
    const told = await page.call(async () => {
      const { ternlight, greedy } = globalThis as unknown as Scope;
      const { findings } = await ternlight.examine({ measure: false });
      const extras = await greedy(ternlight, { source: 'synthetic:tiny' });
      return { ...(await greedy(ternlight)), extras: extras.error ?? extras.ids?.length, findings };
    });
    await page.close();
    // Its pages share memory without isolation.
    expect(told).toMatchObject({ ids: expected, threads: 2, notes: [], extras: 24 });
    expect(told.findings.find(({ what }) => what === 'workers')?.detail).toMatch(/chrome-extension:.*worker\.js$/);
  });

  it('its service worker: in place, with a note', async () => {
    const [told, extras] = await (await background()).evaluate(() => {
      const { run } = globalThis as unknown as { run(options: object): Promise<Greedy> };
      return Promise.all([run({}), run({ source: 'synthetic:tiny' })]) as Promise<[Greedy, Greedy]>;
    });
    expect(extras.ids?.length).toBe(24);
    expect(told).toMatchObject({ ids: expected, threads: 1 });
    expect(told.notes).toEqual([expect.stringMatching(/runs in this thread.*this context has no Worker/)]);
  });
});
