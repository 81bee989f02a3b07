// The threads beside the engine's own. They pack weights that they are sent; then they wait in shared memory, and a
// plan is started by one store and at most one wake.
import { poolWorker } from '#workers';
import { BARRIER_FAILED, COMMAND, COMMAND_PLAN, COMMAND_SLEEPERS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import { NoWorkerError } from '../platform/no-worker.ts';
import type { Platform } from '../platform/platform.ts';
import { PoolThread } from './pool-thread.ts';
import { type KernelCalls, type PoolStart, type PoolTask, QUIT } from './task.ts';

/** About 20 us and 100 us: longer than a stage's imbalance, shorter than what a battery would notice. */
export const BARRIER_SPINS = 20_000;
const IDLE_SPINS = 50_000;
/** Seconds: no thread works on its part of a stage for as long, on the slowest machine. */
export const BARRIER_PATIENCE = 30;

export class Pool {
  readonly #words: Int32Array;
  readonly #threads: readonly PoolThread[];
  #command = 0;
  #failure: TernlightError | undefined;

  private constructor(words: Int32Array, threads: readonly PoolThread[]) {
    this.#words = words;
    this.#threads = threads;
  }

  /**
   * Starts threads 1 .. threads - 1; thread 0 is the caller. Resolves when all of them can call kernels.
   * Throws NoWorkerError where workers cannot be started at all.
   */
  static async start(
    platform: Platform,
    message: Omit<PoolStart, 'kind'>,
    threads: number,
    control: number,
  ): Promise<Pool> {
    const started: PoolThread[] = [];
    try {
      const spawned = Array.from({ length: threads - 1 }, async () => {
        started.push(new PoolThread(await platform.spawn('pool', poolWorker)));
      });
      // All of them, so that none is left that starts later.
      for (const result of await Promise.allSettled(spawned)) if (result.status === 'rejected') throw result.reason;
      await Promise.all(started.map((thread) => thread.ask({ kind: 'start', ...message })));
    } catch (cause) {
      for (const thread of started) thread.terminate();
      if (cause instanceof NoWorkerError) throw cause;
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
    const failure = this.#threads.find((thread) => thread.failure)?.failure;
    if (failure) this.#failure ??= died(failure);
    if (this.#failure) throw this.#failure;
    this.#send(plan);
  }

  /**
   * A plan was broken off: the caller's kernels trapped, which they also do where they waited for a thread in vain.
   * What is in memory is worth nothing now. Ends all threads; from now on `begin` throws what this returns.
   */
  broken(cause: Error): TernlightError {
    const thread = Atomics.load(this.#words, BARRIER_FAILED >> 2);
    const what = thread > 0 ? `thread ${thread} died` : `a thread died, or was stopped for ${BARRIER_PATIENCE} s,`;
    this.#failure = new TernlightError(
      'environment',
      `threads: ${what} in the middle of a computation (${cause.message}); ${CURE}`,
      { cause },
    );
    for (const other of this.#threads) other.terminate();
    return this.#failure;
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

const CURE = 'load the model again, with threads: 1 if it happens again';

function died(cause: Error): TernlightError {
  return new TernlightError('environment', `threads: a worker died (${cause.message}); ${CURE}`, { cause });
}
