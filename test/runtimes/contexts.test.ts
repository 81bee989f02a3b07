// The built module wherever a page puts it: under Content-Security-Policies, in workers and
// frames, from another origin. The ids are Node's each time.
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type LoadOptions, load } from '../../src/index.ts';
import { type Browser, present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { type Greedy, greedy } from './greedy.mjs';
import { serve, type TestServer } from './server.ts';

type Scope = { ternlight: typeof import('../../src/index.ts'); greedy: typeof greedy };

interface FrameOptions {
  from: string;
  sandbox?: boolean;
  blank?: boolean;
  options: object;
}

let server: TestServer;
let expected: number[];

beforeAll(async () => {
  server = await serve();
  expected = (await greedy({ load }, { threads: 1 })).ids!;
  expect(expected.length).toBe(24);
});
afterAll(() => server?.close());

for (const kind of present([chromium, firefox, webkit]))
  describe(kind.name, () => {
    let browser: Browser;
    beforeAll(async () => {
      browser = await kind.launch();
    });
    afterAll(() => browser?.close());

    /** WebKitGTK has no shared memory, with headers or without. */
    const isolated = kind.name === 'WebKit' ? 1 : 2;

    /** In Firefox new Worker() in a worker now and then never returns (docs/WORKERS.md). */
    async function again(once: () => Promise<Greedy>): Promise<Greedy> {
      for (let left = 3; ; left--) {
        const told = await once();
        const stoodStill = /no answer for/.test(told.error ?? told.threadsNote ?? '');
        if (kind.name !== 'Firefox' || !stoodStill || left === 1) return told;
        console.log('Firefox stood still in starting a worker in a worker; once more');
      }
    }

    const run = (set: string, options: LoadOptions & { source?: string } = {}) => again(() => runOnce(set, options));

    async function runOnce(set: string, options: LoadOptions & { source?: string }): Promise<Greedy> {
      server.requests.length = 0;
      const page = await browser.open(`${server.origin}/${set}/test/runtimes/page.html`);
      const told = await page.call((options) => {
        const { ternlight, greedy } = globalThis as unknown as Scope;
        return greedy(ternlight, options);
      }, options);
      // Browsers log what a policy blocked; nothing else may be there.
      const log = (await page.log()).filter((line) => !/Content.Security.Policy|blocked/i.test(line));
      expect(log).toEqual([]);
      await page.close();
      return told;
    }
    const workerFiles = () => server.requests.filter((path) => path.endsWith('/ternlight-worker.js')).length;

    for (const [set, threads, file] of [
      ['cspblob', 1, false],
      ['cspblob-coi', isolated, false],
      ['csp', 1, true],
      ['csp-coi', isolated, true],
    ] as const)
      it(`${set}: ${threads} thread(s), workers from ${file ? 'the file' : 'blobs'}`, async () => {
        const told = await run(set);
        expect(told).toMatchObject({ ids: expected, threads, notes: [] });
        expect(workerFiles() > 0).toBe(file);
      });

    for (const set of ['csp', 'cspblob'])
      it(`${set}: the extras`, async () => {
        const told = await run(set, { source: 'synthetic:tiny' });
        expect(told.error).toBeUndefined();
        expect(told.ids!.length).toBe(24);
      });

    it('says what a policy without WebAssembly lacks', async () => {
      if (kind.name === 'WebKit') return console.log('skipped: WebKitGTK does not enforce it');
      const { error } = await run('nowasm');
      expect(error).toMatch(/^environment: environment: WebAssembly was not compiled .*script-src 'wasm-unsafe-eval'$/);
    });

    it.each([
      ['coi', /from a blob$/],
      ['csp-coi', /from http.*ternlight-worker\.js$/],
      ['cspnone', /^worker: none could be started/],
    ] as const)('%s: findings', async (set, workers) => {
      const page = await browser.open(`${server.origin}/${set}/test/runtimes/page.html`);
      const { findings, threads } = await page.call(async () => {
        const { ternlight } = globalThis as unknown as Scope;
        return ternlight.examine({ measure: false });
      });
      await page.close();
      const found = (what: string) => findings.find((finding) => finding.what === what);
      expect(found('workers')).toEqual({
        what: 'workers',
        ok: set !== 'cspnone',
        detail: expect.stringMatching(workers),
      });
      const shared = set !== 'cspnone' && kind.name !== 'WebKit';
      expect(found('shared memory')?.ok).toBe(shared);
      expect(threads > 1).toBe(shared);
      expect(found('locks')?.ok).toBe(true);
      expect(found('storage for models')?.detail).toMatch(kind.name === 'WebKit' ? /Cache API/ : /OPFS, \d+ MB free/);
    });

    it('csp, option worker: started from that address, and a wrong one is named', async () => {
      const told = await run('csp', { worker: '../../dist/nothing.js' });
      expect(told).toMatchObject({ ids: expected, threads: 1 });
      expect(told.notes).toEqual([expect.stringMatching(/or from \.\.\/\.\.\/dist\/nothing\.js/)]);
      expect(server.requests).toContain('/csp/dist/nothing.js');
    });

    it('no workers at all: in the page, with a note', async () => {
      const told = await run('cspnone');
      expect(told).toMatchObject({ ids: expected, threads: 1 });
      expect(told.notes).toEqual([expect.stringMatching(/runs in this thread.*worker: none could be started/)]);
    });

    const tell: typeof tellOnce = (...args) => again(() => tellOnce(...args));

    /** Opens a page and has the function, which runs in it, tell. */
    async function tellOnce(
      set: string,
      run: (argument: never) => Promise<Greedy>,
      argument: unknown,
    ): Promise<Greedy> {
      const page = await browser.open(`${server.origin}/${set}/test/runtimes/page.html`);
      const told = await page.call(run as (argument: unknown) => Promise<Greedy>, argument);
      expect(await page.log()).toEqual([]);
      await page.close();
      return told;
    }

    it('the extras in workers of the page', async () => {
      const options = { source: 'synthetic:tiny' };
      for (const set of ['plain', 'csp']) {
        const told = await tell(set, inWorker, { file: 'in-classic-worker.js', type: 'classic', options });
        expect(told.error).toBeUndefined();
        expect(told.ids!.length).toBe(24);
      }
    });

    const inWorker = ({ file, type, options }: { file: string; type: WorkerType; options: object }) =>
      new Promise<Greedy>((resolve, reject) => {
        const worker = new Worker(file, { type });
        worker.onerror = (event) => reject(new Error(event.message));
        const { port1, port2 } = new MessageChannel();
        port1.onmessage = ({ data }) => resolve(data);
        setTimeout(() => resolve({ error: 'no answer for 25 s' }), 25_000);
        worker.postMessage(options, [port2]);
      });
    for (const [set, threads] of [
      ['plain', 1],
      ['coi', isolated],
      ['csp-coi', isolated],
    ] as const)
      for (const [type, file] of [
        ['module', 'in-worker.mjs'],
        ['classic', 'in-classic-worker.js'],
      ] as const)
        it(`in a ${type} worker of the page, ${set}: ${threads} thread(s)`, async () => {
          const told = await tell(set, inWorker, { file, type, options: {} });
          expect(told).toMatchObject({ ids: expected, threads, notes: [] });
        });

    it('in a worker that may start none: one thread, and says why', async () => {
      const options = { worker: '../../dist/nothing.js' };
      const told = await tell('csp-coi', inWorker, { file: 'in-worker.mjs', type: 'module', options });
      expect(told).toMatchObject({ ids: expected, threads: 1 });
      expect(told.threadsNote).toMatch(
        isolated === 1 ? /not cross-origin/ : /^one thread: worker: none could be started/,
      );
    });

    it('in a service worker: in place, with a note', async () => {
      const inService = async (type: WorkerType) => {
        const registration = await navigator.serviceWorker.register('in-worker.mjs', { type });
        const worker = (registration.installing ?? registration.waiting ?? registration.active)!;
        while (worker.state !== 'activated') await new Promise((resolve) => setTimeout(resolve, 20));
        const { port1, port2 } = new MessageChannel();
        const told = new Promise<Greedy>((resolve) => {
          port1.onmessage = ({ data }) => resolve(data);
        });
        worker.postMessage({}, [port2]);
        const result = await told;
        await registration.unregister();
        return result;
      };
      const told = await tell('coi', inService, 'module');
      expect(told).toMatchObject({ ids: expected, threads: 1 });
      expect(told.notes).toEqual([expect.stringMatching(/runs in this thread.*this context has no Worker/)]);
    });

    /** A frame whose script is a module, imported from another place. */
    const inFrame = ({ from, sandbox, blank, options }: FrameOptions) =>
      new Promise<Greedy>((resolve) => {
        addEventListener('message', ({ data }) => resolve(data), { once: true });
        const script = `
          import * as ternlight from '${from}/dist/ternlight.js';
          import { greedy } from '${from}/test/runtimes/greedy.mjs';
          parent.postMessage(await greedy(ternlight, ${JSON.stringify(options)}), '*');`;
        const frame = document.createElement('iframe');
        if (sandbox) frame.setAttribute('sandbox', 'allow-scripts');
        if (!blank) frame.srcdoc = `<script type="module">${script}</script>`;
        document.body.append(frame);
        if (blank)
          setTimeout(() => {
            const inside = frame.contentDocument!;
            const element = inside.createElement('script');
            Object.assign(element, { type: 'module', textContent: script });
            inside.body.append(element);
          }, 200);
      });

    for (const blank of [true, false])
      it(`in a frame of ${blank ? 'about:blank' : 'srcdoc'}, with a relative address`, async () => {
        const options = { source: '../../model/tinystories-bitnet-11m.gguf' };
        const told = await tell('plain', inFrame, { from: `${server.origin}/plain`, blank, options });
        expect(told).toMatchObject({ ids: expected, notes: [] });
      });

    it('in a sandbox with an opaque origin: nothing is kept, and a note says so', async () => {
      const options = { source: `${server.origin}/cors/model/tinystories-bitnet-11m.gguf` };
      const told = await tell('plain', inFrame, { from: `${server.origin}/cors`, sandbox: true, options });
      expect(told.error).toBeUndefined();
      expect(told.ids).toEqual(expected);
      expect(told.notes).toEqual([
        expect.stringMatching(/^not kept: store: this page (has neither OPFS nor|may not take locks)/),
      ]);
    });

    it('from another origin, as of a CDN', async () => {
      const from = `${server.origin.replace('127.0.0.1', 'localhost')}/cors`;
      expect(await tell('plain', inFrame, { from, options: {} })).toMatchObject({ ids: expected, notes: [] });
    });
  });
