// Workers that only their own listeners refer to, as while a model is loaded: Firefox collects them, and then nobody answers.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { expect, it } from 'vitest';
import type { webPlatform } from '../../src/platform/web.ts';
import { present } from '../browsers/browser.ts';
import { firefox } from '../browsers/firefox.ts';
import { serve } from './server.ts';

/** The file with what it imports, as the body of a function that returns what it exports. */
async function bundled(path: string): Promise<string> {
  const entryPoints = [fileURLToPath(new URL(path, import.meta.url))];
  const { outputFiles } = await build({
    entryPoints,
    bundle: true,
    write: false,
    format: 'iife',
    globalName: 'exported',
  });
  return `${outputFiles[0]!.text}\nreturn exported;`;
}

for (const kind of present([firefox]))
  it(`${kind.name} does not collect a worker that has been started and not ended`, async () => {
    const server = await serve();
    const browser = await kind.launch();
    try {
      const page = await browser.open(`${server.origin}/coi/test/runtimes/page.html`);
      const told = await page.call(
        async (text) => {
          const web = new Function(text)() as { webPlatform: typeof webPlatform };
          const platform = web.webPlatform();
          const program = 'onmessage = () => postMessage(1)';
          const made: WeakRef<Worker>[] = [];
          const { Worker } = globalThis;
          globalThis.Worker = class extends Worker {
            constructor(url: string | URL) {
              super(url);
              made.push(new WeakRef(this));
            }
          };
          (await platform.spawn('pool', program)).onMessage(() => {});
          // One that nobody roots, to see that there was a collection.
          const start = () => {
            const worker = new globalThis.Worker(URL.createObjectURL(new Blob([program])));
            worker.addEventListener('message', () => worker);
          };
          start();
          // Asked seldom: to ask holds it.
          const there = () => made.map((worker) => worker.deref() !== undefined);
          for (let round = 1; round <= 1200 && (round % 200 > 0 || there()[1]); round++) {
            Array.from({ length: 10_000 }, () => document.createElement('div'));
            await new Promise((resolve) => setTimeout(resolve, 20));
          }
          return there();
        },
        await bundled('../../src/platform/web.ts'),
      );
      expect(told).toEqual([true, false]);
    } finally {
      await browser.close();
      await server.close();
    }
  });
