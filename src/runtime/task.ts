// What a pool's thread is sent: what kernels need, then kernel calls while weights are packed, then the plans.
import type { Kernels } from '../kernels.d.ts';
import type { Plan } from '../plan/plan.ts';

/** The first message. */
export interface PoolStart {
  readonly kind: 'start';
  readonly modules: readonly WebAssembly.Module[];
  readonly memory: WebAssembly.Memory;
}

/** `times` calls of a kernel: argument i of call n is args[i] + n * steps[i]. */
export interface KernelCalls {
  readonly kind: 'calls';
  readonly kernel: keyof Kernels;
  readonly args: readonly number[];
  readonly steps: readonly number[];
  readonly times: number;
}

/** The last message: from here on the thread hears only what the control block says. */
export interface PoolTask {
  readonly kind: 'plans';
  readonly plans: readonly Plan[];
  readonly control: number;
  readonly scratch: number;
  readonly thread: number;
  readonly threads: number;
  readonly spins: number;
  readonly patience: number;
  /** Spins between plans, where the wait is longer than at a barrier. */
  readonly idleSpins: number;
}

export type PoolMessage = PoolStart | KernelCalls | PoolTask;

/** The plan index that ends a thread. */
export const QUIT = -1;

/** Whether all calls gave something else than 0. */
export function callKernel(kernels: Kernels, { kernel, args, steps, times }: KernelCalls): boolean {
  const run = kernels[kernel] as (...args: number[]) => number;
  let good = true;
  for (let n = 0; n < times; n++) if (run(...args.map((arg, i) => arg + n * steps[i]!)) === 0) good = false;
  return good;
}
