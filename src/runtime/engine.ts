// A loaded model's memory, kernels, plans and threads: tokens at positions in, logits out. Owns caches by address;
// knows no text and no sampling.
import * as L from '../../assembly/layout.ts';
import type { ModelConfig } from '../arch/architecture.ts';
import { TernlightError } from '../errors.ts';
import { PLAN_DECODE, PLAN_HEAD, PLAN_PREFILL, type Plan } from '../plan/plan.ts';
import type { Plans, RowKernel } from '../plan/types.ts';
import type { Weight } from '../plan/weights.ts';
import type { Platform } from '../platform/platform.ts';
import { ensureMemory, Layout } from './arena.ts';
import { instantiate } from './instantiate.ts';
import { MemoryNeed, type MemorySetup } from './memory-limit.ts';
import { type MemoryPlan, planActivations } from './memory-plan.ts';
import { packAll } from './pack.ts';
import { Packers } from './packers.ts';
import { BARRIER_PATIENCE, BARRIER_SPINS, Pool } from './pool.ts';
import { planStaging, Staging } from './staging.ts';
import { TensorReader } from './tensor-reader.ts';
import { chooseRowKernel, compile, hasThreads, type Variant } from './variant.ts';
import { Walker } from './walk.ts';

/** Rest tokens of a chunk from this many on are padded to a tile: cheaper than a row kernel (docs/LOG.md). */
const PAD_TO_TILE_FROM = { dot: 14, paired: 14, i16: 13, wide: 12 } as const;

/** Of packed weights: a token that reads less is done by one thread before several have met at its barriers. */
const ALONE_BYTES = 32e6;

export interface EngineSetup extends MemorySetup {
  readonly platform: Platform;
  readonly variant: Variant;
  readonly rowKernel?: RowKernel;
  /** V8's revectorizer is on. */
  readonly revectorized?: boolean;
  /** Single tokens of small models may be one thread's, although there are several. */
  readonly mayWalkAlone?: boolean;
  readonly signal?: AbortSignal;
  readonly onProgress?: (loadedBytes: number, totalBytes: number) => void;
}

/** The region of one session's keys and values. */
export interface KvRegion {
  readonly address: number;
}

/** A walk that was timed. */
export interface TimedWalk {
  /** PLAN_DECODE ... */
  readonly plan: number;
  /** Of its first token; a head has those of the prefill before it. */
  readonly position: number;
  readonly tokens: number;
  /** What Walker.walkTimed wrote down. */
  readonly times: Float64Array;
}

export class Engine {
  readonly config: ModelConfig;
  readonly chunkTokens: number;
  readonly capacity: number;
  readonly vocabSize: number;
  readonly variant: Variant;
  readonly rowKernel: RowKernel;
  readonly threads: number;
  readonly memoryPlan: MemoryPlan;
  /** Bytes of packed weights as they came out. */
  readonly weightsBytes: number;
  readonly memory: WebAssembly.Memory;
  /** What a profile describes the stages by. */
  readonly weights: ReadonlyMap<string, Weight>;
  readonly platform: Platform;
  readonly #layout: Layout;
  readonly #plans: Plans;
  readonly #control: number;
  readonly #walker: Walker;
  /** Walks single tokens of small models, which are done before other threads have come. */
  readonly #alone: Walker | undefined;
  readonly #pool: Pool | undefined;
  readonly #sessions: number;
  /** Sessions hold a state, not a cache: it can be thrown away but not cut back. */
  readonly recurrent: boolean;
  readonly #sessionBytes: number;
  readonly #free: KvRegion[] = [];
  #caches = 0;
  #observer: ((walk: TimedWalk) => void) | undefined;
  #disposed = false;

  private constructor(setup: EngineSetup, parts: EngineParts) {
    this.config = setup.config;
    this.chunkTokens = setup.chunkTokens;
    this.capacity = setup.capacity;
    this.variant = setup.variant;
    this.threads = setup.threads;
    this.rowKernel = parts.rowKernel;
    this.memoryPlan = parts.memoryPlan;
    this.weightsBytes = parts.weightsBytes;
    this.memory = parts.memory;
    this.weights = parts.weights;
    this.platform = setup.platform;
    this.#layout = parts.layout;
    this.#plans = parts.plans;
    this.vocabSize = parts.plans.vocabSize;
    this.#control = parts.control;
    this.#walker = parts.walker;
    this.#alone = parts.alone;
    this.#pool = parts.pool;
    this.#sessions = setup.sessions;
    this.#sessionBytes = parts.plans.sessionBytes;
    this.recurrent = parts.plans.recurrent;
  }

  static async create(setup: EngineSetup): Promise<Engine> {
    const { file, jobs, variant, architecture, config, threads, platform, signal } = setup;
    const shared = hasThreads(variant);
    if (threads > 1 && !shared)
      throw new TernlightError('internal', `engine: build "${variant}" has no threads, asked for ${threads}`);
    const modules = await compile(variant);
    // Where the host's memory begins: asked of a throw-away instance, before the real memory is made.
    const base = await heapBase(modules, shared);
    const need = new MemoryNeed(setup, base);
    const memoryPlan = need.plan;
    const memory = need.reserve(shared, platform.memoryBytes);
    const kernels = await instantiate(modules, memory);
    const rowKernel = chooseRowKernel(kernels, variant, setup.rowKernel, setup.revectorized);
    const layout = new Layout(base);
    const control = layout.allocate('control', L.CONTROL_BYTES);
    const stagingPlan = planStaging(jobs, threads);
    // Behind the weights, however large they turn out: what will be there is not in use yet.
    const stagingAt = layout.end + memoryPlan.weightsBytes;
    const staging = new Staging(stagingAt, stagingPlan);

    const totalBytes = jobs.reduce((n, j) => n + j.info.lengthBytes, 0);
    let loadedBytes = 0;
    const onBytes = (bytes: number) => {
      loadedBytes += bytes;
      setup.onProgress?.(loadedBytes, totalBytes);
    };
    const start = layout.end;
    const pool = threads > 1 ? await Pool.start(platform, { modules, memory }, threads, control) : undefined;
    try {
      const reader = new TensorReader(file.source, jobs, { memory, staging, signal, onBytes });
      const packers = new Packers(kernels, pool);
      const weights = await packAll({ reader, memory, kernels, layout, staging, packers }, jobs);
      const weightsBytes = layout.end - start;
      new Uint8Array(memory.buffer, stagingAt, stagingPlan.bytes).fill(0);

      const plans = planActivations(layout, weights, architecture, config, setup, control, rowKernel);
      for (const { address, data } of plans.constants) new Float64Array(memory.buffer, address, data.length).set(data);
      const walk = { control, threads, spins: BARRIER_SPINS, patience: BARRIER_PATIENCE };
      await pool?.serve({ ...walk, plans: plans.plans }, plans.scratches);
      const first = { ...walk, kernels, memory, scratch: plans.scratches[0]!, thread: 0 };
      const walker = new Walker(first, plans.plans);
      const alone =
        setup.mayWalkAlone && threads > 1 && weightsBytes < ALONE_BYTES
          ? new Walker({ ...first, threads: 1 }, plans.plans)
          : undefined;
      const own = { memory, layout, weights, plans, control, walker, alone, pool };
      return new Engine(setup, { ...own, rowKernel, memoryPlan, weightsBytes });
    } catch (error) {
      pool?.dispose();
      throw error;
    }
  }

  /** Indexed by PLAN_DECODE ... */
  get plans(): readonly Plan[] {
    return this.#plans.plans;
  }

  /** Times every walk from now on and tells it; undefined ends that. */
  observe(observer: ((walk: TimedWalk) => void) | undefined): void {
    if (observer && this.#observer)
      throw new TernlightError('invalid-option', 'model: a profile is being made; wait for it');
    this.#observer = observer;
  }

  /** A cache for a new session; the memory grows for all but the first. */
  openCache(): KvRegion {
    this.#check();
    const free = this.#free.pop();
    if (free) return free;
    if (this.#caches === this.#sessions)
      throw new TernlightError(
        'environment',
        `session: ${this.#sessions} sessions are open, expected at most ${this.#sessions}; dispose one or load the model with a larger "sessions"`,
      );
    const name = `kv ${this.#caches}`;
    const address = this.#layout.allocate(name, this.#sessionBytes);
    ensureMemory(this.memory, this.#layout.end, name);
    this.#caches++;
    return { address };
  }

  closeCache(cache: KvRegion): void {
    this.#free.push(cache);
  }

  /**
   * Computes one token; its logits [vocabSize], a view that the next call overwrites. top: with a fast head the greatest
   * `top` are exact and the others may be estimates below those; 0: all are exact.
   */
  decode(cache: KvRegion, position: number, id: number, top = 0): Float32Array {
    this.#prepare(cache, position, [id]);
    this.#setHead(0, 1, top);
    this.#run(PLAN_DECODE);
    return this.#logits(0);
  }

  /** Computes up to chunkTokens tokens; `head` gives logits of any of them until the next call. */
  prefill(cache: KvRegion, position: number, ids: readonly number[]): void {
    this.#prepare(cache, position, ids);
    this.#run(PLAN_PREFILL);
  }

  /** Logits of tokens [first, first + count) of the last prefill, count <= ROW_TOKENS; views as in decode. */
  head(first: number, count: number, top = 0): Float32Array[] {
    this.#check();
    if (count > L.ROW_TOKENS)
      throw new TernlightError('internal', `engine: ${count} rows of logits, expected at most ${L.ROW_TOKENS}`);
    this.#setHead(first, count, top);
    this.#run(PLAN_HEAD);
    return Array.from({ length: count }, (_, i) => this.#logits(i));
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#pool?.dispose();
  }

  #prepare(cache: KvRegion, position: number, ids: readonly number[]): void {
    this.#check();
    const tokens = ids.length;
    if (tokens > this.chunkTokens || tokens < 1 || position + tokens > this.capacity)
      throw new TernlightError('internal', `engine: ${tokens} tokens at position ${position} of ${this.capacity}`);
    const at = new Int32Array(this.memory.buffer, this.#plans.ids, tokens);
    for (let i = 0; i < tokens; i++) {
      const id = ids[i]!;
      if (!(Number.isInteger(id) && id >= 0 && id < this.config.vocabSize))
        throw new TernlightError(
          'invalid-option',
          `tokens: id ${id} at position ${position + i}, expected 0 to ${this.config.vocabSize - 1}`,
        );
      at[i] = id;
    }
    const rest = tokens % L.TILE_TOKENS;
    const tiles = Math.floor(tokens / L.TILE_TOKENS) + (rest >= PAD_TO_TILE_FROM[this.rowKernel] ? 1 : 0);
    const control = this.#words();
    setRange(control, L.RANGE_ALL, 0, tokens);
    setRange(control, L.RANGE_TILES, 0, tiles);
    setRange(control, L.RANGE_REST, Math.min(tokens, tiles * L.TILE_TOKENS), tokens);
    control[L.POSITION >> 2] = position;
    control[L.KV_ADDRESS >> 2] = cache.address;
  }

  #setHead(first: number, count: number, top: number): void {
    const control = this.#words();
    control[L.HEAD_TOP >> 2] = top;
    setRange(control, L.RANGE_HEAD, 0, count);
    control[L.HEAD_SOURCE >> 2] = first;
  }

  #run(plan: number): void {
    const alone = plan === PLAN_PREFILL ? undefined : this.#alone;
    const walker = alone ?? this.#walker;
    // Who walks alone neither wakes threads nor can be told that one of them died.
    const pool = alone ? undefined : this.#pool;
    pool?.begin(plan);
    try {
      if (this.#observer) this.#observer(this.#timed(plan, walker));
      else walker.walk(plan);
    } catch (cause) {
      throw pool?.broken(cause as Error) ?? cause;
    }
  }

  #timed(plan: number, walker: Walker): TimedWalk {
    const times = new Float64Array(1 + 2 * this.plans[plan]!.length);
    walker.walkTimed(plan, times);
    const control = this.#words();
    const first = L.RANGE_ALL >> 2;
    return { plan, position: control[L.POSITION >> 2]!, tokens: control[first + 1]! - control[first]!, times };
  }

  #logits(row: number): Float32Array {
    return new Float32Array(
      this.memory.buffer,
      this.#plans.logits + 4 * row * this.#plans.logitsStride,
      this.vocabSize,
    );
  }

  #words(): Int32Array {
    return new Int32Array(this.memory.buffer, this.#control, L.CONTROL_BYTES >> 2);
  }

  #check(): void {
    if (this.#disposed) throw new TernlightError('disposed', 'model: it was disposed');
  }
}

interface EngineParts {
  memory: WebAssembly.Memory;
  layout: Layout;
  weights: ReadonlyMap<string, Weight>;
  plans: Plans;
  control: number;
  walker: Walker;
  alone: Walker | undefined;
  pool: Pool | undefined;
  rowKernel: RowKernel;
  memoryPlan: MemoryPlan;
  weightsBytes: number;
}

function setRange(control: Int32Array, range: number, first: number, end: number): void {
  control[range >> 2] = first;
  control[(range >> 2) + 1] = end;
}

async function heapBase(modules: readonly WebAssembly.Module[], shared: boolean): Promise<number> {
  const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared });
  return (await instantiate(modules, memory)).heapBase();
}
