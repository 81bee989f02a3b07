// How the rows of a growing step are shared out.
import { describe, expect, it } from 'vitest';
import { growingShare } from '../../src/runtime/walk.ts';

/** What tokens [begin, end) after `position` others cost. */
function cost(position: number, begin: number, end: number): number {
  let sum = 0;
  for (let t = begin; t < end; t++) sum += position + t + 16;
  return sum;
}

describe('the share of a growing step', () => {
  it('is nothing, or all', () => {
    for (const [tokens, heads, position] of [
      [1, 20, 0],
      [1, 20, 4000],
      [7, 3, 11],
      [128, 20, 0],
      [128, 20, 100_000],
      [1000, 32, 123_457],
    ] as const) {
      expect(growingShare(tokens * heads, heads, position, 0)).toBe(0);
      expect(growingShare(tokens * heads, heads, position, 1)).toBe(tokens * heads);
    }
  });

  it('rises from part to part, and is whole tokens where there are many', () => {
    for (const tokens of [1, 2, 15, 16, 128])
      for (const threads of [2, 3, 4, 7]) {
        const ends = Array.from({ length: threads + 1 }, (_, i) => growingShare(tokens * 5, 5, 30, i / threads));
        for (let i = 1; i < ends.length; i++) expect(ends[i]).toBeGreaterThanOrEqual(ends[i - 1]!);
        if (tokens >= 16) expect(ends.every((end) => end % 5 === 0)).toBe(true);
      }
  });

  it('is equal work', () => {
    for (const position of [0, 10, 128, 5000])
      for (const threads of [2, 3, 4]) {
        const tokens = 128;
        const ends = Array.from(
          { length: threads + 1 },
          (_, i) => growingShare(tokens * 5, 5, position, i / threads) / 5,
        );
        const all = cost(position, 0, tokens);
        for (let i = 0; i < threads; i++)
          expect((cost(position, ends[i]!, ends[i + 1]!) * threads) / all).toBeCloseTo(1, 1);
      }
    // Without: the second of two threads would have three quarters of a fresh prompt.
    expect(growingShare(128, 1, 0, 0.5)).toBeGreaterThan(80);
    expect(growingShare(20, 20, 500, 0.5)).toBe(10);
  });
});
