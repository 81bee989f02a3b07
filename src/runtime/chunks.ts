// How a stage's rows are cut into chunks that threads take one after another: a core that somebody else uses takes fewer.
import type { Step } from '../plan/plan.ts';

export interface Chunk {
  /** Index of the step in its stage. */
  readonly step: number;
  readonly begin: number;
  readonly end: number;
}

/** A kernel that builds tables for its rows wants many of them; the others work off one vector. */
const TILED_ROWS = 512;
const LEAST_ROWS = 32;
/** The least chunk is this part of a stage: what the last thread may come late by. */
const LEAST_PART = 48;

/**
 * Chunks of falling size (guided self-scheduling, Polychronopoulos and Kuck 1987): each is a share of what is left, so
 * that few are taken and the last are small. Steps of a stage read the same input, so rows cost alike.
 */
export function cut(steps: readonly Step[], threads: number): Chunk[] {
  const total = steps.reduce((n, step) => n + step.rows, 0);
  const chunks: Chunk[] = [];
  let left = total;
  steps.forEach(({ kernel, rows, align }, step) => {
    const tiled = kernel.endsWith('Tiled');
    const least = tiled ? TILED_ROWS : Math.max(LEAST_ROWS, total / LEAST_PART);
    for (let begin = 0; begin < rows; ) {
      const share = Math.max(least, left / (tiled ? 1.25 * threads : 2 * threads));
      const end = Math.min(rows, begin + Math.ceil(share / align) * align);
      // What would be left over is no chunk by itself.
      const whole = rows - end < least / 2 ? rows : end;
      chunks.push({ step, begin, end: whole });
      left -= whole - begin;
      begin = whole;
    }
  });
  return chunks;
}
