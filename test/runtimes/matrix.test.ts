// The built module in every runtime that stands here: same ids, same bits, threads, aborting, disposing, two models.
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { present } from '../browsers/browser.ts';
import { chromium } from '../browsers/chromium.ts';
import { firefox } from '../browsers/firefox.ts';
import { webkit } from '../browsers/webkit.ts';
import { conform, type Report } from './conformance.mjs';
import { missing, programs, runProgram } from './programs.ts';
import { serve, type TestServer } from './server.ts';
import { type Row, writeTable } from './table.ts';

const MODEL = '/plain/model/tinystories-bitnet-11m.gguf';
let server: TestServer;
/** Emulated processors do less of everything. */
const expected: { all?: Report; small?: Report } = {};
const rows: Row[] = [];

beforeAll(async () => {
  server = await serve();
  const what = { threads: 1, address: server.origin + MODEL };
  expected.all = await conform({ load }, what);
  expected.small = await conform({ load }, { ...what, small: true });
});
afterAll(async () => {
  await server?.close();
  writeTable(rows);
});

interface Checked {
  /** Model of processor and the like, where the runtime does not tell it. */
  where: string;
  report: Report;
  threads: number;
  /** Default: as many. */
  asked?: number;
  small?: boolean;
}

/** All that does not depend on the runtime is what the sources give here. */
function check({ where, report, threads, asked = threads, small }: Checked): void {
  const { ids, digest, sampled, streamed, stop, twoModels, progress, late } = expected[small ? 'small' : 'all']!;
  expect(report).toMatchObject({ ids, digest, sampled, streamed, stop, twoModels, progress, late });
  expect(report).toMatchObject({ streamed: true, stop: 'aborted', twoModels: true, progress: true, late: 'disposed' });
  expect(report.threads).toBe(threads);
  expect(report.threadsNote !== undefined).toBe(threads < asked);
  rows.push({ where, report });
}

describe('programs', () => {
  for (const program of programs) {
    const absent = missing(program);
    if (absent)
      console.log(
        `skipped: ${program.name} (no ${absent.replace(fileURLToPath(new URL('../../', import.meta.url)), '')}; npm run runtimes:install)`,
      );
    for (const threads of [1, 2])
      it.skipIf(absent)(
        `${program.name}, ${threads} thread(s)`,
        async () => {
          const { slow: small = false, processor } = program;
          const report = await runProgram(program, { threads, address: server.origin + MODEL, small });
          const where = processor ? `${report.runtime}, ${processor}` : report.runtime;
          check({ where, report, threads, small });
        },
        program.slow ? 300_000 : 120_000,
      );
  }
});

for (const kind of present([chromium, firefox, webkit]))
  describe(kind.name, () => {
    it('isolated and not', async () => {
      const browser = await kind.launch();
      try {
        for (const set of ['coi', 'plain'] as const) {
          const page = await browser.open(`${server.origin}/${set}/test/runtimes/page.html`);
          const report = await page.call((address) => {
            type Scope = { ternlight: typeof import('../../src/index.ts'); conform: typeof conform };
            const { ternlight, conform: run } = globalThis as unknown as Scope;
            return run(ternlight, { threads: 2, address });
          }, `${server.origin}/${set}/model/tinystories-bitnet-11m.gguf`);
          expect(await page.log()).toEqual([]);
          const where = `${browser.name}, ${set === 'coi' ? 'isolated' : 'not isolated'}`;
          // WebKitGTK has no shared memory, with headers or without, and no relaxed SIMD.
          const [threads, build] =
            kind.name === 'WebKit' ? [1, 'simd'] : set === 'coi' ? [2, 'relaxed-threads'] : [1, 'relaxed'];
          check({ where, report, threads, asked: 2 });
          expect(report.build).toBe(build);
          if (threads === 1) expect(report.threadsNote).toContain('not cross-origin isolated');
          await page.close();
        }
      } finally {
        await browser.close();
      }
    });
  });
