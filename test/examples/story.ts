// What a visitor of an example's page does: waits until it is ready, has a story written, stops another.
import { availableParallelism } from 'node:os';
import { expect } from 'vitest';
import type { Page } from '../browsers/browser.ts';

export interface Visit {
  ready: string;
  story: string;
  /** How often the page got text. */
  pieces: number;
  status: string;
  /** The status after a story was stopped. */
  stopped: string;
}

/** Runs in the page (or one beside it, which gives its document), so it uses nothing from outside. */
export async function visit(opening: string, document: Document = globalThis.document): Promise<Visit> {
  const at = <T extends HTMLElement>(selector: string) => document.querySelector(selector) as T;
  const [button, story, status] = [at<HTMLButtonElement>('button'), at('#story'), at<HTMLOutputElement>('output')];
  const until = async (what: string, holds: () => boolean) => {
    for (const end = Date.now() + 60_000; !holds(); ) {
      if (Date.now() > end) throw new Error(`${what} did not come; the status is "${status.value}"`);
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
  };
  await until('readiness', () => status.value !== 'loading');
  const ready = status.value;
  at<HTMLInputElement>('input').value = opening;
  button.click();
  await until('the story', () => status.value !== ready && button.textContent === 'Write');
  const written = { story: story.textContent ?? '', pieces: story.childNodes.length, status: status.value };
  button.click();
  await until('a piece of the second story', () => story.childNodes.length >= 5);
  button.click();
  await until('the end', () => status.value !== written.status && button.textContent === 'Write');
  return { ready, ...written, stopped: status.value };
}

export function checkVisit({ ready, story, pieces, status, stopped }: Visit, opening: string, several: boolean): void {
  expect(ready).toMatch(several ? /^ready, ([2-9]|\d\d) thread/ : /^ready, 1 thread/);
  expect(story.startsWith(opening)).toBe(true);
  expect(story.length).toBeGreaterThan(opening.length + 100);
  expect(pieces).toBeGreaterThan(30);
  expect(status).toMatch(/^\d+ tokens, \d+ a second, (length|eos)$/);
  expect(stopped).toMatch(/ aborted$/);
}

const OPENING = 'A small dog saw';

/** Whether a page that may share memory gets several threads on this machine. */
export const severalCores = availableParallelism() > 1;

/** Visits the page, and finds nothing in its log, but for what Vite's server says of itself. */
export async function check(page: Page, several: boolean): Promise<void> {
  checkVisit(await page.call(visit, OPENING), OPENING, several);
  expect((await page.log()).filter((line) => !line.startsWith('debug: [vite]'))).toEqual([]);
}
