// Firefox by WebDriver BiDi.
import puppeteer, { type Browser as Driver } from 'puppeteer-core';
import { type Browser, type BrowserKind, CALL_MS, type Page, until } from './browser.ts';

const path = process.env.FIREFOX ?? '/usr/bin/firefox-esr';
/** persist() asks the user: without these it waits for ever. */
const PREFS = { 'dom.storageManager.prompt.testing': true, 'dom.storageManager.prompt.testing.allow': true };

async function openIn(driver: Driver, url: string, ready: boolean): Promise<Page> {
  const page = await driver.newPage();
  const log: string[] = [];
  page.on('console', (message) => log.push(`${message.type()}: ${message.text()}`));
  page.on('pageerror', (error) => log.push(String((error as Error).message ?? error)));
  const settled = () => until(() => page.evaluate('!!globalThis.ready'));
  await page.goto(url);
  if (ready) await settled();
  return {
    async call(run, argument) {
      // One string each way: BiDi has forms of its own for deep objects.
      const text = await page.evaluate(
        `(async () => JSON.stringify((await (${run})(${JSON.stringify(argument) ?? 'undefined'})) ?? null))()`,
      );
      return JSON.parse(text as string);
    },
    log: async () => log,
    reload: async () => {
      await page.reload();
      await settled();
    },
    screenshot: () => page.screenshot(),
    close: () => page.close(),
  };
}

export const firefox: BrowserKind = {
  name: 'Firefox',
  path,
  async launch({ profile } = {}): Promise<Browser> {
    const driver = await puppeteer.launch({
      browser: 'firefox',
      executablePath: path,
      headless: true,
      userDataDir: profile,
      extraPrefsFirefox: PREFS,
      protocolTimeout: CALL_MS,
    });
    return {
      name: `Firefox ${(await driver.version()).split('/')[1]}`,
      open: (url, { ready = true } = {}) => openIn(driver, url, ready),
      close: () => driver.close(),
    };
  },
};
