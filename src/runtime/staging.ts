// Where pieces of a file wait in the engine's memory to be packed: a few slots, handed out in turn.
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { roundUp } from '../plan/weights.ts';
import type { PackingJob } from './packing.ts';
import { piecesOf } from './pieces.ts';

/** More threads than this cannot be fed by one that reads. */
const MAX_SLOTS = 6;

/** How staging is laid out: `slots` times `slotBytes`, then the block. */
export interface StagingPlan {
  readonly slots: number;
  readonly slotBytes: number;
  /** Codes or numbers of one block of rows that JavaScript has decoded. */
  readonly blockBytes: number;
  readonly bytes: number;
}

export function planStaging(jobs: readonly PackingJob[], threads: number): StagingPlan {
  let slotBytes = 0;
  let blockBytes = 0;
  for (const job of jobs) {
    for (const { paddedBytes } of piecesOf(job)) slotBytes = Math.max(slotBytes, roundUp(paddedBytes, 64));
    // 16 rows of f32, or 32 of codes.
    const rowBytes = job.kind === 'i8row' || job.kind === 'i8planes' ? 64 : BLOCK_ROWS;
    if (job.spec.dims.length > 1) blockBytes = Math.max(blockBytes, rowBytes * roundUp(job.spec.dims[0]!, COLS_ALIGN));
  }
  // One for each thread, and one to read into.
  const slots = Math.min(threads + 1, MAX_SLOTS);
  return { slots, slotBytes, blockBytes, bytes: slots * slotBytes + blockBytes };
}

/** The slots that are free; who finds none waits, first come first served. */
export class Staging {
  readonly #free: number[];
  readonly #waiting: ((address: number) => void)[] = [];
  readonly slots: number;
  /** Address of the block. */
  readonly block: number;

  constructor(address: number, { slots, slotBytes }: StagingPlan) {
    this.slots = slots;
    this.block = address + slots * slotBytes;
    this.#free = Array.from({ length: slots }, (_, i) => address + i * slotBytes);
  }

  take(): Promise<number> {
    const address = this.#free.pop();
    return address === undefined ? new Promise((resolve) => this.#waiting.push(resolve)) : Promise.resolve(address);
  }

  give(address: number): void {
    const waiting = this.#waiting.shift();
    if (waiting) waiting(address);
    else this.#free.push(address);
  }
}
