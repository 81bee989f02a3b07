// One pass of the playground in Firefox and WebKit, from a host without headers. WebKit's isolated pages have no shared
// memory here: that must be told, and must not make the page load itself again and again.
import { describe, expect, it } from 'vitest';
import { present, until } from '../browsers/browser.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { drop, STORY, site, Visit } from './site.ts';

const kinds = [firefox, webkit];
const here = present(kinds);

describe.each(kinds)('the playground in $name', (kind) => {
  it.runIf(here.includes(kind))(
    'becomes isolated, writes, takes a dropped file, measures, and starts without its host',
    async () => {
      const place = await site({ isolated: false });
      const browser = await kind.launch();
      try {
        const visit = new Visit(await browser.open(place.address, { ready: false }));
        await until(() => visit.page.call(() => crossOriginIsolated && 'ready' in globalThis));
        expect(await visit.story()).toBe(STORY);
        const threads = kind === firefox ? /^\d+ threads?$/ : /^one thread: memory cannot be shared/;
        expect(await visit.text('#status-threads')).toMatch(threads);
        await drop(visit, { 'mine.gguf': 'model' });
        await visit.sees('#notice', /is loaded/);
        await drop(visit, { 'letter.txt': 'no model '.repeat(100) });
        await visit.sees('#alert', /letter\.txt/);
        await visit.go('benchmark');
        await visit.click('#measure');
        await visit.sees('#result-text', /1 thread: prompt [\d,.]+ tok\/s/);
        await visit.go('models');
        await visit.sees('#offline-state', /^kept, works offline/);
        await place.close();
        await visit.page.reload();
        await visit.ready();
        expect(await visit.story()).toBe(STORY);
        expect((await visit.page.log()).filter((line) => /Content.Security/i.test(line))).toEqual([]);
      } finally {
        await browser.close();
        await place.close();
      }
    },
  );
});
