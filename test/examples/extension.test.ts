// The extension example, built and loaded unpacked: its panel as a page, and the real side panel.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { present } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { check, checkVisit, severalCores, type Visit, visit } from './story.ts';
import { copyExample, temporaryFolder } from './user.ts';

interface Scope {
  chrome: {
    windows: { getCurrent(): Promise<{ id: number }> };
    sidePanel: { open(options: { windowId: number }): Promise<void> };
    runtime: { getContexts(filter: { contextTypes: string[] }): Promise<{ documentUrl: string }[]> };
  };
}

const OPENING = 'A small dog saw';
const [kind] = present([chromium]);

describe.runIf(kind)('extension', () => {
  const user = temporaryFolder();
  let browser: ChromiumBrowser;
  let origin: string;

  beforeAll(async () => {
    await copyExample('extension', user.path);
    await promisify(execFile)(process.execPath, ['build.mjs'], { cwd: user.path });
    const folder = join(user.path, 'build');
    browser = await chromium.launch({ args: [`--load-extension=${folder}`, `--disable-extensions-except=${folder}`] });
    const [worker = await browser.context.waitForEvent('serviceworker')] = browser.context.serviceWorkers();
    origin = new URL(worker.url()).href.replace(/background\.js$/, '');
  });
  afterAll(async () => {
    await browser?.close();
    user.remove();
  });

  it('writes stories in its panel, opened as a page', async () => {
    const page = await browser.open(`${origin}panel.html`, { ready: false });
    // Extension pages may share memory without isolation.
    await check(page, severalCores);
    await page.close();
  });

  it('writes stories in the side panel', async () => {
    const page = await browser.context.newPage();
    await page.goto(`${origin}panel.html?opener`);
    await page.evaluate(() => {
      const opener = Object.assign(document.createElement('button'), { id: 'opener' });
      opener.onclick = async () => {
        const { chrome } = globalThis as unknown as Scope;
        const { id } = await chrome.windows.getCurrent();
        await chrome.sidePanel.open({ windowId: id });
      };
      document.body.append(opener);
    });
    await page.click('#opener'); // it opens for a gesture only
    const panels = await page.waitForFunction(async () => {
      const { chrome } = globalThis as unknown as Scope;
      const panels = await chrome.runtime.getContexts({ contextTypes: ['SIDE_PANEL'] });
      return panels.length > 0 && panels.map(({ documentUrl }) => documentUrl);
    });
    expect(await panels.jsonValue()).toEqual([`${origin}panel.html`]);
    // The driver shows no page for it: this one, of the same extension, can reach it.
    const seen: Visit = await page.evaluate(`(${visit})(${JSON.stringify(OPENING)},
      chrome.extension.getViews().find(({ location }) => location.href === '${origin}panel.html').document)`);
    checkVisit(seen, OPENING, severalCores);
  });
});
