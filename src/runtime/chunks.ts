// How a stage's rows are cut into chunks that threads take one after another: a core that somebody else uses takes fewer.
import type { Step } from '../plan/plan.ts';

export interface Chunk {
  /** Index of the step in its stage. */
  readonly step: number;
  readonly begin: number;
  readonly end: number;
}

/** A kernel that builds tables for its rows wants many of them; the others work off one vector. */
const TILED_ROWS = 224;
const LEAST_ROWS = 32;
/** The least chunk is this part of a stage: what the last thread may come late by. */
const LEAST_PART = 48;

/**
 * Steps that are tiled cost by themselves: in a prompt the steps beside them have few tokens left, mostly none. All steps of
 * either kind read the same input, so their rows cost alike.
 */
export function cut(steps: readonly Step[], threads: number): Chunk[] {
  const numbered = steps.map((step, index) => ({ ...step, index }));
  const tiled = numbered.filter(({ kernel }) => kernel.endsWith('Tiled'));
  const others = numbered.filter((step) => !tiled.includes(step));
  return [...cutTiled(tiled, threads), ...cutRows(others, threads)];
}

type Numbered = Step & { readonly index: number };

/**
 * Chunks of falling size (guided self-scheduling, Polychronopoulos and Kuck 1987): each is a share of what is left, so
 * that few are taken and the last are small.
 */
function cutRows(steps: readonly Numbered[], threads: number): Chunk[] {
  const total = sumOf(steps);
  const least = Math.max(LEAST_ROWS, total / LEAST_PART);
  return slice(steps, least, (left) => Math.max(least, left / (2 * threads)));
}

/**
 * As many chunks of a size as there are threads, then smaller ones (factoring, Hummel, Schonberg and Flynn 1992), the last
 * an equal share of what is left: few, because each builds its tables anew.
 */
function cutTiled(steps: readonly Numbered[], threads: number): Chunk[] {
  let taken = 0;
  let size = 0;
  return slice(steps, TILED_ROWS, (left) => {
    if (taken++ % threads === 0)
      size =
        left <= 2 * threads * TILED_ROWS
          ? left / Math.min(threads, Math.ceil(left / TILED_ROWS))
          : left / (1.5 * threads);
    return size;
  });
}

/** Chunks of the sizes that `share` gives for what is left; a rest of less than half of `least` is no chunk by itself. */
function slice(steps: readonly Numbered[], least: number, share: (leftRows: number) => number): Chunk[] {
  const chunks: Chunk[] = [];
  let left = sumOf(steps);
  for (const { rows, align, index } of steps)
    for (let begin = 0; begin < rows; ) {
      const end = Math.min(rows, begin + Math.ceil(share(left) / align) * align);
      const whole = rows - end < least / 2 ? rows : end;
      chunks.push({ step: index, begin, end: whole });
      left -= whole - begin;
      begin = whole;
    }
  return chunks;
}

function sumOf(steps: readonly Step[]): number {
  return steps.reduce((n, { rows }) => n + rows, 0);
}
