// A turn in a page of a Chromium of its own.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { chromium } from 'playwright-core';

const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

/** The browser's path: CHROMIUM, or the first in PATH. */
export function findChromium() {
  if (process.env.CHROMIUM) return process.env.CHROMIUM;
  const folders = ['/usr/bin', ...(process.env.PATH ?? '').split(delimiter)];
  const names = ['chromium', 'chromium-browser', 'google-chrome', 'google-chrome-stable', 'chrome.exe'];
  return folders.flatMap((folder) => names.map((name) => join(folder, name))).find((file) => existsSync(file));
}

/** @param page address of page.html */
export async function turnInChromium(module, options, { executablePath, page: address, limitMs }) {
  const profile = mkdtempSync(join(tmpdir(), 'ternlight-peers-profile-'));
  const context = await chromium.launchPersistentContext(profile, {
    executablePath,
    headless: true,
    args: ARGS.split(' '),
  });
  const late = setTimeout(() => context.close(), limitMs);
  try {
    const page = await context.newPage();
    const errors = [];
    page.on('pageerror', (error) => errors.push(error.message));
    page.on('crash', () => errors.push('the page crashed'));
    await page.goto(address);
    await page.waitForFunction('globalThis.ready');
    const result = await page
      .evaluate(([name, values]) => globalThis.run(name, values), [module, options])
      .catch((error) => {
        throw new Error([error.message, ...errors].join('; '));
      });
    const browser = context.browser();
    const versions = { ...result.versions, Chromium: browser.version() };
    return { ...result, peakMB: await rendererPeakMB(browser), versions };
  } finally {
    clearTimeout(late);
    await context.close();
    rmSync(profile, { recursive: true, force: true });
  }
}

/** Of the largest renderer: the page with its workers. Undefined where the system does not tell. */
async function rendererPeakMB(browser) {
  try {
    const session = await browser.newBrowserCDPSession();
    const { processInfo } = await session.send('SystemInfo.getProcessInfo');
    const peaks = processInfo
      .filter(({ type }) => type === 'renderer')
      .map(({ id }) => /VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${id}/status`, 'utf8'))[1] / 1024);
    return Math.round(Math.max(...peaks));
  } catch {
    return undefined;
  }
}
