// Walks a plan. The only place where rows are shared out among threads; knows no model.
import { CLAIMS, CONTROL_BYTES, POSITION } from '../../assembly/layout.ts';
import type { Kernels } from '../kernels.d.ts';
import type { Plan, Stage, Step } from '../plan/plan.ts';
import { type Chunk, cut } from './chunks.ts';

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
  /** Seconds that it sleeps before a thread that has not come counts as dead. */
  readonly patience: number;
}

type Kernel = (...args: number[]) => unknown;
interface BoundStep extends Step {
  readonly run: Kernel;
  /** The step's arguments with room for begin, end, scratch: no array is made per call. */
  readonly call: number[];
}

interface BoundStage {
  /** Whose rows are known only when the plan is walked: shared out by tokens. */
  readonly split: readonly BoundStep[];
  /** Whose rows are known: taken in chunks by whoever is free. */
  readonly taken: readonly BoundStep[];
  readonly chunks: readonly Chunk[];
  /** Each token is one thread's, all steps of it. */
  readonly perToken: boolean;
}

/** One thread's way through a plan. */
export class Walker {
  readonly #context: WalkContext;
  readonly #plans: readonly (readonly BoundStage[])[];
  #epoch = 0;
  #control: Int32Array;

  constructor(context: WalkContext, plans: readonly Plan[]) {
    this.#context = context;
    this.#control = this.#view();
    this.#plans = plans.map((plan) => plan.map((stage) => this.#bind(stage)));
  }

  /** Runs plan `index` from its first stage to its last; returns when all threads have. */
  walk(index: number): void {
    this.#refresh();
    for (const stage of this.#plans[index]!) {
      this.#work(stage);
      this.#meet();
    }
  }

  /**
   * As walk, and writes down what time it was: at the start, then for each stage when this thread had done its part and
   * when all had. A method of its own, so that walk asks no clock and no flag.
   */
  walkTimed(index: number, times: Float64Array): void {
    this.#refresh();
    let at = 0;
    times[at++] = performance.now();
    for (const stage of this.#plans[index]!) {
      this.#work(stage);
      times[at++] = performance.now();
      this.#meet();
      times[at++] = performance.now();
    }
  }

  /** This thread's part of a stage. */
  #work({ split, taken, chunks, perToken }: BoundStage): void {
    const { thread, threads } = this.#context;
    if (threads === 1) {
      for (const step of split) this.#share(step, 0, 1);
      for (const step of taken) call(step, 0, step.rows);
      return;
    }
    const epoch = ++this.#epoch;
    if (thread === 0) Atomics.store(this.#control, claimWord(epoch + 1), 0);
    if (perToken && this.#tokens(split[0]!) === 1) {
      // The first thread that comes: the others may be asleep still.
      if (Atomics.add(this.#control, claimWord(epoch), 1) === 0) for (const step of split) this.#share(step, 0, 1);
    } else for (const step of split) this.#share(step, thread, threads);
    if (chunks.length > 0) this.#take(taken, chunks, claimWord(epoch));
  }

  /** Waits for the other threads. */
  #meet(): void {
    const { kernels, control, threads, spins, patience } = this.#context;
    if (threads > 1) kernels.barrier(control, threads, this.#epoch, spins, patience);
  }

  /** Which thread computes a row changes nothing: every row is computed by one, in one order. */
  #take(steps: readonly BoundStep[], chunks: readonly Chunk[], word: number): void {
    for (;;) {
      const chunk = chunks[Atomics.add(this.#control, word, 1)];
      if (!chunk) return;
      call(steps[chunk.step]!, chunk.begin, chunk.end);
    }
  }

  /** How many tokens the control block names for a step. */
  #tokens(step: BoundStep): number {
    const word = step.range! >> 2;
    return this.#control[word + 1]! - this.#control[word]!;
  }

  /** One of `parts` parts of the tokens that the control block names. */
  #share(step: BoundStep, part: number, parts: number): void {
    const word = step.range! >> 2;
    const first = this.#control[word]! * step.rows;
    const rows = this.#tokens(step) * step.rows;
    const units = Math.ceil(rows / step.align);
    const share = (n: number) =>
      step.growing
        ? growingShare(units, step.rows, this.#control[POSITION >> 2]!, n / parts)
        : Math.floor((units * n) / parts);
    const begin = share(part) * step.align;
    const end = Math.min(rows, share(part + 1) * step.align);
    if (begin < end) call(step, first + begin, first + end);
  }

  #bind({ steps, perToken }: Stage): BoundStage {
    const { kernels, scratch, threads } = this.#context;
    const bound = steps.map((step) => ({
      ...step,
      run: kernels[step.kernel] as Kernel,
      call: [...step.args, 0, 0, scratch],
    }));
    const taken = bound.filter((step) => step.range === undefined);
    return { split: bound.filter((step) => step.range !== undefined), taken, chunks: cut(taken, threads), perToken };
  }

  /** The memory may have grown. */
  #refresh(): void {
    if (this.#control.byteLength === 0) this.#control = this.#view();
  }

  #view(): Int32Array {
    return new Int32Array(this.#context.memory.buffer, this.#context.control, CONTROL_BYTES >> 2);
  }
}

/** What a token costs beside its context, in positions. */
const TOKEN_COST = 16;

/**
 * Of `units` in all, `perToken` each, the first ones that are `part` of the work, where a token's is as long as its
 * context: the area under a line. Whole tokens where there are some for everybody.
 */
export function growingShare(units: number, perToken: number, position: number, part: number): number {
  const tokens = units / perToken;
  const before = position + TOKEN_COST;
  const t = Math.sqrt(before ** 2 + part * (tokens ** 2 + 2 * before * tokens)) - before;
  return tokens < 16 ? Math.round(t * perToken) : Math.round(t) * perToken;
}

/** The claim counter of the stage that ends with barrier number `epoch`. */
function claimWord(epoch: number): number {
  return (CLAIMS >> 2) + 16 * (epoch % 3);
}

function call(step: BoundStep, begin: number, end: number): void {
  const { call } = step;
  call[call.length - 3] = begin;
  call[call.length - 2] = end;
  step.run(...call);
}
