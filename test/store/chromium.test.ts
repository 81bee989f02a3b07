// The store under what only Chromium's protocol can do to it: no network, and too little space.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { packagedModel } from '../../src/index.ts';
import { present } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { serve, type TestServer } from '../runtimes/server.ts';
import { list, tell } from './page.ts';
import { type FileServer, fileServer } from './server.ts';

describe.runIf(present([chromium]).length > 0)('in Chromium, the store', () => {
  let pages: TestServer;
  let files: FileServer;
  let browser: ChromiumBrowser;

  beforeAll(async () => {
    pages = await serve();
    files = await fileServer(readFileSync(fileURLToPath(packagedModel)));
    browser = await chromium.launch();
  });
  afterAll(async () => {
    await browser?.close();
    await pages?.close();
    await files?.close();
  });

  const open = () => browser.open(`${pages.origin}/plain/test/runtimes/page.html`);

  it('needs no network for what is kept', async () => {
    const url = `${files.origin}/1.gguf`;
    const { text } = await tell(await open(), url);
    const page = await open();
    await browser.context.setOffline(true);
    expect((await tell(page, url)).text).toBe(text);
    expect((await tell(page, `${files.origin}/other.gguf`)).error).toMatch(/^source: .* could not be had: /);
    await browser.context.setOffline(false);
    expect(files.requests.length).toBe(1);
    await page.close();
  });

  it('says that there is not enough space, and loads all the same', async () => {
    const url = `${files.origin}/2.gguf`;
    const page = await open();
    const cdp = await browser.context.newCDPSession(browser.context.pages().at(-1)!);
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
});
