// The playground as an application: installable, without a network, isolated without a host's headers, updated. The
// bytes of each visit are printed.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { present, until } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { bytesSent, type Site, STORY, site, Visit } from './site.ts';

interface Manifest {
  name: string;
  start_url: string;
  display: string;
  icons: { src: string; sizes: string; type: string; purpose?: string }[];
}

describe.runIf(present([chromium]).length > 0)('the playground, offline', () => {
  let profile: string;
  let browser: ChromiumBrowser;
  const sites: Site[] = [];

  async function opened(options?: Parameters<typeof site>[0]): Promise<Site> {
    sites.push(await site(options));
    return sites.at(-1)!;
  }
  const isolated = (visit: Visit) => visit.page.call(() => crossOriginIsolated);

  beforeAll(() => {
    profile = mkdtempSync(join(tmpdir(), 'ternlight-'));
  });
  afterAll(() => rmSync(profile, { recursive: true, force: true }));
  beforeEach(async () => {
    browser = await chromium.launch({ profile });
  });
  afterEach(async () => {
    await browser.close();
    for (const place of sites.splice(0)) await place.close();
  });

  it('is installable, and is served from a sub-folder', async () => {
    const place = await opened({ base: '/some/where/' });
    const visit = await Visit.open(browser, place.address);
    const manifest = await visit.page.call(async () => {
      const { href } = document.querySelector<HTMLLinkElement>('link[rel=manifest]')!;
      const manifest = await (await fetch(href)).json();
      const sizes = manifest.icons.map(async ({ src }: { src: string }) => {
        const image = new Image();
        image.src = new URL(src, href).href;
        await image.decode();
        return `${image.naturalWidth}x${image.naturalHeight}`;
      });
      return { ...manifest, found: await Promise.all(sizes) };
    });
    const { icons, found, start_url, display } = manifest as Manifest & { found: string[] };
    expect([start_url, display]).toEqual(['./', 'standalone']);
    for (const [i, { sizes }] of icons.entries()) if (sizes !== 'any') expect(found[i]).toBe(sizes);
    expect(icons.map(({ sizes }) => sizes)).toEqual(expect.arrayContaining(['192x192', '512x512', 'any']));
    // The browser's own judgement.
    const page = browser.context.pages().at(-1)!;
    const session = await browser.context.newCDPSession(page);
    const { installabilityErrors } = await session.send('Page.getInstallabilityErrors');
    expect(installabilityErrors).toEqual([]);
    expect(await visit.story()).toBe(STORY);
  });

  it('starts and writes without a network after one visit, and sends little on the second', async () => {
    const place = await opened();
    let visit = await Visit.open(browser, place.address);
    await visit.go('models');
    await visit.sees('#offline-state', /^kept, works offline/);
    const first = bytesSent(place);
    await visit.page.close();
    visit = await Visit.open(browser, place.address);
    expect(await visit.story()).toBe(STORY);
    const second = bytesSent(place);
    await browser.context.setOffline(true);
    await visit.page.reload();
    await visit.ready();
    expect(await visit.story()).toBe(STORY);
    expect(await isolated(visit)).toBe(true);
    // All screens, and what is loaded late: their files are there too.
    await visit.go('models');
    await visit.sees('#published-count', /^\d\d of \d\d;/);
    await visit.fill('#address', 'https://models.example/some.gguf');
    await visit.click('#address-form button');
    await visit.sees('#alert', /could not be had.*check address and network/);
    const offline = bytesSent(place);
    await browser.context.setOffline(false);
    console.log(`bytes of bodies: first visit ${first}, second ${second}, offline ${offline}`);
    // The model once, although page and service worker both want it.
    expect(first).toBeLessThan(4.1e6);
    expect(second).toBeLessThan(3000);
    expect(offline).toBe(0);
  });

  it('is isolated after one reload where the host sends no headers, and does not reload again', async () => {
    const place = await opened({ isolated: false });
    const visit = new Visit(await browser.open(place.address, { ready: false }));
    await until(async () => (await isolated(visit)) && visit.page.call(() => 'ready' in globalThis));
    expect(await visit.story()).toBe(STORY);
    expect(await visit.text('#status-threads')).toMatch(/^\d+ threads?$/);
    const loads = place.sent.filter(({ path, status }) => path === 'index.html' && status === 200).length;
    // The page, and the service worker's copy of it at most.
    expect(loads).toBeLessThanOrEqual(2);
    expect(
      await visit.page.call(() => performance.getEntriesByType('navigation').map((entry) => entry.toJSON().type)),
    ).toEqual(['reload']);
  });

  it('asks before it reloads a page that is in use', async () => {
    const place = await opened({ isolated: false });
    const page = await browser.open(place.address, { ready: false });
    const visit = new Visit(page);
    await until(() => visit.visible('#text'));
    await browser.context.pages().at(-1)!.click('#text');
    await visit.sees('#notice', /Several threads are possible once the page is loaded again/);
    expect(await isolated(visit)).toBe(false);
    expect(await visit.text('#status-threads')).toMatch(/^one thread: .*not cross-origin isolated/);
    await visit.click('#notice button');
    await until(async () => (await isolated(visit)) && visit.page.call(() => 'ready' in globalThis));
  });

  it('takes a new version when it is asked to, and removes what is old', async () => {
    const place = await opened();
    const visit = await Visit.open(browser, place.address);
    const script = await (await fetch(`${place.address}service-worker.js`)).text();
    const html = await (await fetch(place.address)).text();
    const newer = html.replace('1-bit and ternary', 'Newer 1-bit and ternary');
    const digest = async (text: string) =>
      Buffer.from(await crypto.subtle.digest('SHA-256', new TextEncoder().encode(text))).toString('hex');
    const kept = () =>
      visit.page.call(async () => {
        const names = await caches.keys();
        const cache = await caches.open(names.find((name) => name.startsWith('ternlight playground'))!);
        return (await cache.keys()).length;
      });
    const files = await kept();
    place.replace('index.html', newer);
    place.replace('service-worker.js', script.replace(await digest(html), await digest(newer)));
    place.sent.length = 0;
    await visit.page.reload();
    await visit.sees('#notice', /A new version of this page is here/);
    // Only what is new was fetched.
    expect(place.sent.filter(({ bytes }) => bytes > 0).map(({ path }) => path)).toEqual([
      'service-worker.js',
      'index.html',
    ]);
    expect(await kept()).toBe(files + 1);
    await visit.click('#notice button');
    const description = () =>
      visit.page.call(() => document.querySelector<HTMLMetaElement>('meta[name=description]')!.content);
    await until(async () => (await description()).startsWith('Newer'));
    await visit.ready();
    expect(await kept()).toBe(files);
  });

  it('reloads once, not again and again, where that does not help', async () => {
    const place = await opened({ isolated: false });
    await browser.context.addInitScript(() => {
      Object.defineProperty(globalThis, 'crossOriginIsolated', { value: false });
      sessionStorage.setItem('loads', String(Number(sessionStorage.getItem('loads')) + 1));
    });
    const visit = new Visit(await browser.open(place.address, { ready: false }));
    const loads = () => visit.page.call(() => sessionStorage.getItem('loads'));
    await until(async () => (await loads()) === '2' && visit.page.call(() => 'ready' in globalThis));
    expect(await visit.story()).toBe(STORY);
    expect(await loads()).toBe('2');
  });

  it('works where nothing may be remembered, and says that it will not be there offline', async () => {
    const place = await opened({ isolated: false });
    await browser.context.addInitScript(() => {
      const denied = () => {
        throw new DOMException('denied', 'SecurityError');
      };
      for (const name of ['localStorage', 'sessionStorage']) Object.defineProperty(globalThis, name, { get: denied });
      navigator.serviceWorker.register = async () => denied();
    });
    const visit = new Visit(await browser.open(place.address));
    expect(await visit.story()).toBe(STORY);
    await visit.go('models');
    await visit.sees('#offline-state', /^not available offline: denied/);
    expect(await visit.text('#status-threads')).toMatch(/^one thread/);
  });

  it('says so where it cannot be kept', async () => {
    const place = await opened();
    // A host in the middle of an update: a file is not what the service worker was told.
    place.replace('models.json', '[]');
    const visit = new Visit(await browser.open(place.address));
    await visit.go('models');
    await visit.sees('#offline-state', /^not available offline: it could not be kept/);
    expect(await visit.story()).toBe(STORY);
  });
});
