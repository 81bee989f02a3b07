// The examples that are pages without a build, as they lie in the repository, in real browsers.
import { afterAll, beforeAll, describe, it } from 'vitest';
import { present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { serve, type TestServer } from '../runtimes/server.ts';
import { check, severalCores } from './story.ts';

let server: TestServer;
beforeAll(async () => {
  server = await serve();
});
afterAll(() => server.close());

for (const kind of present([chromium, firefox, webkit]))
  describe(kind.name, () => {
    it('html and worker write stories, isolated and not', async () => {
      const browser = await kind.launch();
      try {
        for (const example of ['html', 'worker'])
          for (const set of ['coi', 'plain']) {
            const address = `${server.origin}/${set}/examples/${example}/index.html`;
            const page = await browser.open(address, { ready: false });
            await check(page, set === 'coi' && kind.name !== 'WebKit' && severalCores);
            await page.close();
          }
      } finally {
        await browser.close();
      }
    });
  });
