// What a pool's thread is sent.
import type { Plan } from '../plan/plan.ts';

export interface PoolTask {
  readonly modules: readonly WebAssembly.Module[];
  readonly memory: WebAssembly.Memory;
  readonly plans: readonly Plan[];
  readonly control: number;
  readonly scratch: number;
  readonly thread: number;
  readonly threads: number;
  readonly spins: number;
  /** Spins between plans, where the wait is longer than at a barrier. */
  readonly idleSpins: number;
}

/** The plan index that ends a thread. */
export const QUIT = -1;
