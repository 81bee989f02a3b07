// The threads beside the engine's own. They wait in shared memory; a plan is started by one store and at most one wake.
import { poolWorker } from '#workers';
import { COMMAND, COMMAND_PLAN, COMMAND_SLEEPERS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { Platform, WorkerHandle } from '../platform/platform.ts';
import { type PoolTask, QUIT } from './task.ts';

/** About 20 us and 100 us: longer than a stage's imbalance, shorter than what a battery would notice. */
export const BARRIER_SPINS = 20_000;
const IDLE_SPINS = 50_000;

export class Pool {
  readonly #words: Int32Array;
  readonly #workers: readonly WorkerHandle[];
  #command = 0;
  #failure: Error | undefined;

  private constructor(words: Int32Array, workers: readonly WorkerHandle[]) {
    this.#words = words;
    this.#workers = workers;
    for (const worker of workers)
      worker.onError((error) => {
        this.#failure = error;
      });
  }

  /** Starts threads 1 .. threads - 1; thread 0 is the caller. Resolves when all of them wait for work. */
  static async start(
    platform: Platform,
    task: Omit<PoolTask, 'thread' | 'scratch' | 'idleSpins'>,
    scratches: readonly number[],
  ): Promise<Pool> {
    const workers: WorkerHandle[] = [];
    try {
      const ready: Promise<void>[] = [];
      for (let thread = 1; thread < task.threads; thread++) {
        const worker = platform.spawn(poolWorker);
        workers.push(worker);
        ready.push(
          new Promise((resolve, reject) => {
            worker.onMessage(() => resolve());
            worker.onError(reject);
          }),
        );
        worker.post({ ...task, thread, scratch: scratches[thread]!, idleSpins: IDLE_SPINS } satisfies PoolTask);
      }
      await Promise.all(ready);
    } catch (cause) {
      for (const worker of workers) worker.terminate();
      throw new TernlightError('environment', `threads: a worker could not be started (${String(cause)})`, { cause });
    }
    for (const worker of workers) worker.background();
    return new Pool(new Int32Array(task.memory.buffer, task.control), workers);
  }

  /** Wakes the threads for a plan; the caller walks it too, and its last barrier is the end for all. */
  begin(plan: number): void {
    if (this.#failure)
      throw new TernlightError('environment', `threads: a worker died (${this.#failure.message})`, {
        cause: this.#failure,
      });
    Atomics.store(this.#words, COMMAND_PLAN >> 2, plan);
    Atomics.store(this.#words, COMMAND >> 2, ++this.#command);
    if (Atomics.load(this.#words, COMMAND_SLEEPERS >> 2) > 0) Atomics.notify(this.#words, COMMAND >> 2);
  }

  dispose(): void {
    this.#failure = undefined;
    this.begin(QUIT);
    for (const worker of this.#workers) worker.terminate();
  }
}
