// Chromium by the DevTools protocol.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type BrowserContext, chromium as driver } from 'playwright-core';
import { type Browser, type BrowserKind, type LaunchOptions, type Page, until } from './browser.ts';

const path = process.env.CHROMIUM ?? '/usr/bin/chromium';
const ARGS =
  '--no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking --disable-component-update --disable-sync';

async function openIn(context: BrowserContext, url: string, ready: boolean): Promise<Page> {
  const page = await context.newPage();
  const log: string[] = [];
  page.on('console', (message) => log.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => log.push(error.message));
  const settled = () => until(() => page.evaluate('!!globalThis.ready'));
  await page.goto(url);
  if (ready) await settled();
  return {
    call: (run, argument) => page.evaluate(run as never, argument as never),
    log: async () => log,
    reload: async () => {
      await page.reload();
      await settled();
    },
    screenshot: () => page.screenshot(),
    close: () => page.close(),
  };
}

export interface ChromiumBrowser extends Browser {
  /** What only this browser can do: offline, quotas, several windows. */
  readonly context: BrowserContext;
}

interface ChromiumKind extends BrowserKind {
  launch(options?: LaunchOptions): Promise<ChromiumBrowser>;
}

export const chromium: ChromiumKind = {
  name: 'Chromium',
  path,
  async launch({ profile, args = [] } = {}) {
    const folder = profile ?? mkdtempSync(join(tmpdir(), 'ternlight-'));
    const context = await driver.launchPersistentContext(folder, {
      executablePath: path,
      headless: true,
      args: [...ARGS.split(' '), ...args],
      ignoreDefaultArgs: args.some((arg) => arg.startsWith('--load-extension')) ? ['--disable-extensions'] : [],
    });
    return {
      name: `Chromium ${context.browser()?.version() ?? ''}`.trim(),
      context,
      open: (url, { ready = true } = {}) => openIn(context, url, ready),
      async close() {
        await context.close();
        if (!profile) rmSync(folder, { recursive: true, force: true });
      },
    };
  },
};
