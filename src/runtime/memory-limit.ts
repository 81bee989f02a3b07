// A model's memory, or the settings that would need less: found before anything of the weights is read.

import type { Architecture, ModelConfig } from '../arch/architecture.ts';
import { TernlightError } from '../errors.ts';
import type { ModelFile } from '../formats/types.ts';
import { createMemory, MAX_MEMORY_BYTES, megabytes } from './arena.ts';
import { type EngineOptions, type MemoryPlan, planMemory } from './memory-plan.ts';
import { type HeadType, type PackingJob, packingJobs } from './packing.ts';

/** What the need is computed from. */
export interface MemorySetup extends EngineOptions {
  readonly file: ModelFile;
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  readonly jobs: readonly PackingJob[];
}

/** Settings that would need less. */
interface Change extends Partial<EngineOptions> {
  readonly head?: HeadType;
}

/** Contexts that are proposed are multiples of this many tokens. */
const CONTEXT_STEP = 64;

/** What a model needs, computed from its header, where the kernels' own memory ends at `base`. */
export class MemoryNeed {
  readonly #setup: MemorySetup;
  readonly #base: number;
  readonly plan: MemoryPlan;

  constructor(setup: MemorySetup, base: number) {
    this.#setup = setup;
    this.#base = base;
    this.plan = this.with({});
  }

  /** What it would need with other settings. */
  with({ head, ...change }: Change): MemoryPlan {
    const { file, architecture, config, jobs } = this.#setup;
    const packed = head ? packingJobs(file, architecture.tensors(config), head) : jobs;
    return planMemory(packed, architecture, config, { ...this.#setup, ...change }, this.#base);
  }

  /**
   * Throws 'environment' with need, limit and settings that fit.
   * @param deviceBytes the device has no more; undefined where it does not tell
   */
  check(deviceBytes = Number.POSITIVE_INFINITY): void {
    const limit = Math.min(MAX_MEMORY_BYTES, deviceBytes);
    if (this.plan.totalBytes > limit)
      throw this.#tooMuch(limit, limit < MAX_MEMORY_BYTES ? 'this device has' : '32-bit WebAssembly can have');
  }

  /** A memory for one session that can grow for all of them. Throws as `check`, and where the engine refuses it. */
  reserve(shared: boolean, deviceBytes?: number): WebAssembly.Memory {
    this.check(deviceBytes);
    const { oneSessionBytes, totalBytes } = this.plan;
    const memory = createMemory(oneSessionBytes, totalBytes, shared);
    if (memory) return memory;
    let limit = totalBytes;
    do limit -= totalBytes / 8;
    while (limit > 0 && !createMemory(limit, limit, shared));
    throw this.#tooMuch(limit, 'this environment gives');
  }

  #tooMuch(limit: number, whose: string): TernlightError {
    const { capacity, kv, sessions, threads } = this.#setup;
    return new TernlightError(
      'environment',
      `memory: the model with contextLength ${capacity}, kv "${kv}", sessions ${sessions} and threads ${threads} needs ` +
        `${megabytes(this.plan.totalBytes)} MB, expected at most the ${megabytes(limit)} MB that ${whose}; ${cure(this, capacity, limit)}`,
    );
  }
}

/** What fits: a shorter context, a single change, or all changes together where none of them is enough. */
function cure(need: MemoryNeed, capacity: number, limit: number): string {
  const fits = (change: Change) => need.with(change).totalBytes <= limit;
  const saves = (change: Change) => need.with(change).totalBytes < need.plan.totalBytes;
  const context = (change: Change) => {
    let steps = 0;
    let tooMany = Math.ceil(capacity / CONTEXT_STEP);
    while (tooMany - steps > 1) {
      const middle = (steps + tooMany) >> 1;
      if (fits({ ...change, capacity: middle * CONTEXT_STEP })) steps = middle;
      else tooMany = middle;
    }
    return steps > 0 ? [`contextLength ${steps * CONTEXT_STEP}`] : [];
  };
  const changes = (
    [
      ['kv "i8"', { kv: 'i8' }],
      ['kv "i4"', { kv: 'i4' }],
      ['head "int8"', { head: 'int8' }],
      ['sessions 1', { sessions: 1 }],
      ['threads 1', { threads: 1 }],
    ] as const
  ).filter(([, change]) => saves(change));
  const single = changes.filter(([, change]) => fits(change)).map(([text]) => text);
  const shorter = context({});
  const one = [...shorter, ...single].join(' or ');
  if (single.length > 0) return `${one} fits`;
  const all = changes.filter(([text]) => text !== 'kv "i8"'); // i4 needs less
  const change = Object.assign({}, ...all.map(([, change]) => change));
  const whole = fits(change);
  const least = whole ? [] : context(change);
  const together = [...least, ...all.map(([text]) => text)].join(', ');
  if (!whole && least.length === 0) return 'no settings fit: take a smaller model';
  return one && together !== one ? `${one} fits, or together ${together}` : `together ${together} fit`;
}
