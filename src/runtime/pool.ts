// The threads beside the engine's own. They pack weights that they are sent; then they wait in shared memory, and a plan is
// started by one store and at most one wake.
import { poolWorker } from '#workers';
import { COMMAND, COMMAND_PLAN, COMMAND_SLEEPERS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { Platform } from '../platform/platform.ts';
import { PoolThread } from './pool-thread.ts';
import { type KernelCalls, type PoolStart, type PoolTask, QUIT } from './task.ts';

/** About 20 us and 100 us: longer than a stage's imbalance, shorter than what a battery would notice. */
export const BARRIER_SPINS = 20_000;
const IDLE_SPINS = 50_000;

export class Pool {
  readonly #words: Int32Array;
  readonly #threads: readonly PoolThread[];
  #command = 0;

  private constructor(words: Int32Array, threads: readonly PoolThread[]) {
    this.#words = words;
    this.#threads = threads;
  }

  /** Starts threads 1 .. threads - 1; thread 0 is the caller. Resolves when all of them can call kernels. */
  static async start(
    platform: Platform,
    message: Omit<PoolStart, 'kind'>,
    threads: number,
    control: number,
  ): Promise<Pool> {
    const started: PoolThread[] = [];
    try {
      while (started.length < threads - 1) started.push(new PoolThread(platform.spawn(poolWorker)));
      await Promise.all(started.map((thread) => thread.ask({ kind: 'start', ...message })));
    } catch (cause) {
      for (const thread of started) thread.terminate();
      throw new TernlightError('environment', `threads: a worker could not be started (${String(cause)})`, { cause });
    }
    return new Pool(new Int32Array(message.memory.buffer, control), started);
  }

  /** Has a free thread do the calls, and tells whether all gave something else than 0; undefined where none is free. */
  offer(calls: KernelCalls): Promise<boolean> | undefined {
    return this.#threads
      .find((thread) => !thread.isBusy)
      ?.ask(calls)
      .catch((error) => {
        throw died(error);
      });
  }

  /** Hands over the plans: resolves when all threads wait for one to be begun. Nothing else may be asked from here on. */
  async serve(task: Omit<PoolTask, 'kind' | 'thread' | 'scratch' | 'idleSpins'>, scratches: readonly number[]) {
    const asked = this.#threads.map((thread, i) =>
      thread.ask({ ...task, kind: 'plans', thread: i + 1, scratch: scratches[i + 1]!, idleSpins: IDLE_SPINS }),
    );
    await Promise.all(asked).catch((error) => {
      throw died(error);
    });
    for (const thread of this.#threads) thread.background();
  }

  /** Wakes the threads for a plan; the caller walks it too, and its last barrier is the end for all. */
  begin(plan: number): void {
    for (const { failure } of this.#threads) if (failure) throw died(failure);
    this.#send(plan);
  }

  dispose(): void {
    this.#send(QUIT);
    for (const thread of this.#threads) thread.terminate();
  }

  #send(plan: number): void {
    Atomics.store(this.#words, COMMAND_PLAN >> 2, plan);
    Atomics.store(this.#words, COMMAND >> 2, ++this.#command);
    if (Atomics.load(this.#words, COMMAND_SLEEPERS >> 2) > 0) Atomics.notify(this.#words, COMMAND >> 2);
  }
}

function died(cause: Error): TernlightError {
  return new TernlightError('environment', `threads: a worker died (${cause.message})`, { cause });
}
