// What tests have a page do with the store. `call` sends the text of these functions: they use nothing from outside.
import type { load, store } from '../../src/index.ts';
import type { Page } from '../browsers/browser.ts';

/** What a page tells of a load. */
export interface Told {
  text?: string;
  notes?: readonly string[];
  phases?: string[];
  error?: string;
}

/** Loads, by the page's worker, and generates five tokens. */
export function tell(page: Page, address: string, options: object = {}): Promise<Told> {
  return page.call(
    async ([address, options]): Promise<Told> => {
      const api = globalThis as unknown as { load: typeof load };
      const phases: string[] = [];
      const onProgress = ({ phase }: { phase: string }) => {
        if (phases.at(-1) !== phase) phases.push(phase);
      };
      try {
        const model = await api.load(address, { ...options, threads: 1, onProgress });
        const { text } = await model.generate('Once', { temperature: 0, maxTokens: 5 }).summary();
        const { notes } = model.info;
        await model.dispose();
        return { text, notes, phases };
      } catch (error) {
        return { error: (error as Error).message };
      }
    },
    [address, options] as const,
  );
}

/** What is kept, asked of the page itself. */
export function list(page: Page) {
  return page.call(async () => {
    const { name, list } = await (globalThis as unknown as { store: typeof store }).store();
    return { name, files: await list() };
  });
}

/** Fills, lists and empties the page's store. */
export function useStore(page: Page, url: string) {
  return page.call(async (url) => {
    const kept = await (globalThis as unknown as { store: typeof store }).store();
    let last = 0;
    const onProgress = ({ loadedBytes }: { loadedBytes: number }) => {
      last = loadedBytes;
    };
    const file = await kept.download(url, { onProgress });
    const again = await kept.download(url);
    const wrong = await kept.download(`${url}2`, { sha256: '0'.repeat(64) }).catch((e: Error) => e.message);
    const listed = (await kept.list()).filter((file) => file.url.startsWith(url));
    const { usedBytes, freeBytes } = await kept.estimate();
    const persisted = await kept.persist();
    const freed = await kept.remove(url);
    const left = (await kept.list()).filter((file) => file.url.startsWith(url));
    return { name: kept.name, last, file, again, wrong, listed, usedBytes, freeBytes, persisted, freed, left };
  }, url);
}
