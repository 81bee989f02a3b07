// Walks a plan. The only place where rows are split among threads; knows no model.
import { CONTROL_BYTES } from '../../assembly/layout.ts';
import type { Kernels } from '../kernels.d.ts';
import type { Plan, Step } from '../plan/plan.ts';

export interface WalkContext {
  readonly kernels: Kernels;
  readonly memory: WebAssembly.Memory;
  /** Address of the control block. */
  readonly control: number;
  /** Address of this thread's scratch. */
  readonly scratch: number;
  /** 0 .. threads - 1 */
  readonly thread: number;
  readonly threads: number;
  /** Iterations of a barrier's spin before it sleeps. */
  readonly spins: number;
}

type Kernel = (...args: number[]) => unknown;
interface BoundStep extends Step {
  readonly run: Kernel;
  /** The step's arguments with room for begin, end, scratch: no array is made per call. */
  readonly call: number[];
}

/** One thread's way through a plan. */
export class Walker {
  readonly #context: WalkContext;
  readonly #plans: readonly (readonly { steps: readonly BoundStep[] }[])[];
  #epoch = 0;
  #control: Int32Array;

  constructor(context: WalkContext, plans: readonly Plan[]) {
    this.#context = context;
    this.#control = this.#view();
    this.#plans = plans.map((plan) =>
      plan.map(({ steps }) => ({
        steps: steps.map((step) => ({
          ...step,
          run: context.kernels[step.kernel] as Kernel,
          call: [...step.args, 0, 0, context.scratch],
        })),
      })),
    );
  }

  /** Runs plan `index` from its first stage to its last; returns when all threads have. */
  walk(index: number): void {
    const { kernels, control, thread, threads, spins } = this.#context;
    if (this.#control.byteLength === 0) this.#control = this.#view(); // the memory grew
    for (const { steps } of this.#plans[index]!) {
      for (const step of steps) this.#run(step, thread, threads);
      if (threads > 1) kernels.barrier(control, threads, ++this.#epoch, spins);
    }
  }

  #run(step: BoundStep, thread: number, threads: number): void {
    let first = 0;
    let rows = step.rows;
    if (step.range !== undefined) {
      const word = step.range >> 2;
      first = this.#control[word]! * rows;
      rows = this.#control[word + 1]! * rows - first;
    }
    const units = Math.ceil(rows / step.align);
    const begin = Math.floor((units * thread) / threads) * step.align;
    const end = Math.min(rows, Math.floor((units * (thread + 1)) / threads) * step.align);
    if (begin >= end) return;
    const { call } = step;
    call[call.length - 3] = first + begin;
    call[call.length - 2] = first + end;
    step.run(...call);
  }

  #view(): Int32Array {
    return new Int32Array(this.#context.memory.buffer, this.#context.control, CONTROL_BYTES >> 2);
  }
}
