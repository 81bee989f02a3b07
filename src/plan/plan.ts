// A plan is data: which kernels run, in which order, on which addresses. Built once by builder.ts, walked for ever by
// runtime/walk.ts, posted to workers as it is.
import type { Kernels } from '../kernels.d.ts';

/** One kernel call. The walker appends begin, end and its scratch address: kernel(...args, begin, end, scratch). */
export interface Step {
  readonly kernel: keyof Kernels;
  readonly args: readonly number[];
  /** Output rows, or rows per token where `range` is given. */
  readonly rows: number;
  /** Ranges begin at multiples of this many rows. */
  readonly align: number;
  /** Byte offset in the control block of a range [first, end): the step's rows are those of its tokens. */
  readonly range?: number;
  /** A token's rows cost the more, the more positions are before it. */
  readonly growing?: boolean;
}

/**
 * Steps that do not depend on one another; a barrier follows. Except in a `perToken` stage: there every step splits the
 * same tokens alike, so a step may read what the one before it wrote for the same token. `label` is llama.cpp's name
 * for the result: "blk.3.attn_sub_norm".
 */
export interface Stage {
  readonly label: string;
  readonly perToken: boolean;
  readonly steps: readonly Step[];
}

export type Plan = readonly Stage[];

/** Index of each plan in what a builder returns and a pool walks. */
export const PLAN_DECODE = 0;
export const PLAN_PREFILL = 1;
export const PLAN_HEAD = 2;
