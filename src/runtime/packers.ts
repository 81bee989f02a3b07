// Who packs: the pool's threads while they are free, else this one. Every call writes the same bytes wherever it runs.
import type { Kernels } from '../kernels.d.ts';
import type { Pool } from './pool.ts';
import { callKernel, type KernelCalls } from './task.ts';

export class Packers {
  readonly #kernels: Kernels;
  readonly #pool: Pool | undefined;

  constructor(kernels: Kernels, pool: Pool | undefined) {
    this.#kernels = kernels;
    this.#pool = pool;
  }

  /** Whether all calls gave something else than 0. */
  run(calls: KernelCalls): Promise<boolean> | boolean {
    return this.#pool?.offer(calls) ?? callKernel(this.#kernels, calls);
  }
}
