// How rows are cut for threads: all of them once, and so that threads of equal speed are done together.
import { describe, expect, it } from 'vitest';
import type { Step } from '../../src/plan/plan.ts';
import { type Chunk, cut } from '../../src/runtime/chunks.ts';

const step = (kernel: Step['kernel'], rows: number): Step => ({ kernel, args: [], rows, align: 32 });
const tiled = (rows: number) => step('matmulTernaryTiled', rows);
const single = (rows: number) => step('matmulTernaryDot', rows);

/** When the last of equally fast threads is done, in rows, if whoever is free takes the next chunk. */
function span(chunks: readonly Chunk[], threads: number): number {
  const busy = new Array<number>(threads).fill(0);
  for (const { begin, end } of chunks) busy[busy.indexOf(Math.min(...busy))]! += end - begin;
  return Math.max(...busy);
}

describe('chunks', () => {
  for (const [name, steps] of Object.entries({
    'a matrix': [single(2560)],
    'a small one': [single(64)],
    'tiles and single tokens': [tiled(2560), single(2560), tiled(640), single(640), tiled(640), single(640)],
    'few rows of tiles': [tiled(32), single(32)],
    nothing: [],
  }))
    for (const threads of [1, 2, 3, 4, 8])
      it(`of ${name} are all rows once, ${threads} threads`, () => {
        const rows = steps.map(({ rows }) => new Uint8Array(rows));
        for (const { step, begin, end } of cut(steps, threads)) {
          expect(end).toBeGreaterThan(begin);
          expect(begin % 32).toBe(0);
          for (let row = begin; row < end; row++) rows[step]![row]!++;
        }
        expect(rows.every((counts) => counts.every((n) => n === 1))).toBe(true);
      });

  it('of tiles do not count the single tokens beside them', () => {
    for (const rows of [1536, 2560, 6912])
      for (const threads of [2, 4]) {
        const chunks = cut([tiled(rows), single(rows)], threads).filter(({ step }) => step === 0);
        expect(span(chunks, threads) / (rows / threads)).toBeLessThan(1.15);
        // Tables are built for each: few.
        expect(chunks.length).toBeLessThanOrEqual(4 * threads);
      }
  });

  it('of single tokens let nobody wait for long', () => {
    for (const rows of [1536, 2560, 13824])
      for (const threads of [2, 4])
        expect(span(cut([single(rows)], threads), threads) / (rows / threads)).toBeLessThan(1.1);
  });
});
