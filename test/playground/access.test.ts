// The playground for who uses a keyboard, a screen reader, a phone, and for eyes that need contrast.

import type { Page as Driven } from 'playwright-core';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { present, until } from '../browsers/browser.ts';
import { type ChromiumBrowser, chromium } from '../browsers/chromium.ts';
import { type Site, site, Visit } from './site.ts';

const SCREENS = ['complete', 'chat', 'models', 'benchmark', 'settings'];

describe.runIf(present([chromium]).length > 0)('access to the playground', () => {
  let place: Site;
  let browser: ChromiumBrowser;
  let visit: Visit;
  let page: Driven;

  beforeAll(async () => {
    place = await site();
    browser = await chromium.launch();
    visit = await Visit.open(browser, place.address);
    page = browser.context.pages().at(-1)!;
  });
  afterAll(async () => {
    await browser?.close();
    await place?.close();
  });
  beforeEach(() => page.setViewportSize({ width: 1100, height: 760 }));

  it.each([320, 360, 768, 2000])('fits %i pixels, with targets large enough', async (width) => {
    await page.setViewportSize({ width, height: 740 });
    for (const screen of SCREENS) {
      await visit.go(screen);
      const found = await visit.page.call(() => {
        const small = [...document.querySelectorAll<HTMLElement>('button, .button, nav a, input:not(.unseen), select')]
          .filter((element) => element.checkVisibility())
          .filter((element) => {
            const { width, height } = element.getBoundingClientRect();
            return width < 44 || height < 44;
          });
        const { scrollWidth } = document.querySelector('main')!;
        return {
          overflow: Math.max(scrollWidth, document.documentElement.scrollWidth) - innerWidth,
          small: small.map(({ outerHTML }) => outerHTML),
        };
      });
      expect(found, screen).toEqual({ overflow: 0, small: [] });
    }
  });

  it('is used with the keyboard alone', async () => {
    await visit.go('complete');
    await page.reload();
    await visit.ready();
    const focused = () => page.evaluate('document.activeElement.id || document.activeElement.textContent.trim()');
    const tabTo = async (wanted: string | RegExp) => {
      for (let i = 0; i < 40; i++) {
        await page.keyboard.press('Tab');
        if (new RegExp(wanted).test(String(await focused()))) return;
      }
      throw new Error(`the focus never came to ${wanted}`);
    };
    await page.keyboard.press('Tab');
    expect(await focused()).toBe('Skip to the content');
    await page.keyboard.press('Enter');
    expect(await focused()).toBe('main');
    await tabTo(/^text$/);
    await page.keyboard.type('Once upon');
    await tabTo(/^continue$/);
    await page.keyboard.press('Enter');
    await until(async () => (await focused()) === 'complete-stop' || (await visit.text('#complete-figures')) !== '');
    await page.keyboard.press('Escape');
    await visit.sees('#complete-figures', /tokens/);
    expect(await focused()).toBe('continue');
    expect(await visit.text('#text')).toMatch(/^Once upon./);
    // To another screen: the focus goes to its heading.
    await page.keyboard.press('Shift+Tab');
    for (let i = 0; i < 40 && (await focused()) !== 'Models'; i++) await page.keyboard.press('Shift+Tab');
    await page.keyboard.press('Enter');
    await until(async () => (await focused()) === 'models-title');
    expect(await page.title()).toBe('Models - ternlight playground');
    await tabTo(/^address$/);
    // What has the focus shows it.
    expect(await page.evaluate('getComputedStyle(document.activeElement).outlineStyle')).toBe('solid');
  });

  it('has landmarks, and a name for everything that can be used', async () => {
    for (const screen of SCREENS) {
      await visit.go(screen);
      const snapshot = await page.locator('body').ariaSnapshot();
      for (const needed of [/- banner/, /- navigation "Screens"/, /- main/, /- contentinfo/, /- heading .*\[level=1\]/])
        expect(snapshot, screen).toMatch(needed);
      // Playwright writes a role with a name as: - role "name".
      expect(snapshot, screen).not.toMatch(/- (button|link|textbox|combobox|searchbox|spinbutton|progressbar)(?! ")/);
    }
  });

  it.each(['light', 'dark'] as const)('has AA contrast in %s colours', async (colorScheme) => {
    await page.emulateMedia({ colorScheme });
    const ratios = await visit.page.call(() => {
      const canvas = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true })!;
      const probe = document.body.appendChild(document.createElement('i'));
      const luminance = (name: string) => {
        probe.style.color = `var(--${name})`;
        canvas.fillStyle = getComputedStyle(probe).color;
        canvas.fillRect(0, 0, 1, 1);
        const [r, g, b] = [...canvas.getImageData(0, 0, 1, 1).data].map((value) => {
          const part = value / 255;
          return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
        });
        return 0.2126 * r! + 0.7152 * g! + 0.0722 * b!;
      };
      const ratio = (a: string, b: string) => {
        const [dark, light] = [luminance(a), luminance(b)].sort((x, y) => x - y);
        return (light! + 0.05) / (dark! + 0.05);
      };
      const texts = ['text', 'muted', 'accent'].flatMap((text) =>
        ['ground', 'surface', 'raised'].map((ground) => [text, ground, 4.5] as const),
      );
      const pairs = [
        ...texts,
        ...([
          ['on-accent', 'accent', 4.5],
          ['bad', 'bad-ground', 4.5],
          ['bad', 'surface', 4.5],
          ['text', 'mine', 4.5],
          ['muted', 'mine', 4.5],
          ['control', 'surface', 3],
          ['control', 'ground', 3],
        ] as const),
      ];
      const low = pairs
        .filter(([a, b, least]) => !(ratio(a, b) >= least))
        .map(([a, b]) => `${a} on ${b}: ${ratio(a, b)}`);
      const result = { low, strong: ratio('ground', 'text') > 10, dark: luminance('ground') < 0.1 };
      probe.remove();
      return result;
    });
    expect(ratios).toEqual({ low: [], strong: true, dark: colorScheme === 'dark' });
  });

  it('has colours of its own choice, which it remembers', async () => {
    await page.emulateMedia({ colorScheme: 'light' });
    await page.click('#theme');
    await page.click('#theme');
    expect(await page.getAttribute('#theme', 'aria-label')).toBe('Colours: dark');
    await page.reload();
    await visit.ready();
    expect(await page.evaluate('getComputedStyle(document.documentElement).colorScheme')).toBe('dark');
    await page.click('#theme');
    expect(await page.getAttribute('#theme', 'aria-label')).toBe('Colours: auto');
  });
});
