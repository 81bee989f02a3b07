// What these surroundings offer an engine, and what speed to expect of them: for `ternlight doctor` and for pages.

import { poolWorker } from '#workers';
import { TERNARY_ROWS } from './plan/matmul.ts';
import type { RowKernel } from './plan/types.ts';
import type { Platform } from './platform/platform.ts';
import { instantiate } from './runtime/instantiate.ts';
import { PoolThread } from './runtime/pool-thread.ts';
import { measureRead } from './runtime/profile-read.ts';
import { Trial, trialPages } from './runtime/trial.ts';
import { canShareMemory, chooseRowKernel, chooseVariant, compile, type Variant } from './runtime/variant.ts';
import { chooseThreads } from './understand.ts';

/** A finding: whether it is there, and where it is not what that costs or how to get it. */
export interface Finding {
  readonly what: string;
  readonly ok: boolean;
  readonly detail: string;
}

export interface Environment {
  /** "Node 24.1.0", "Chromium 156". */
  readonly runtime: string;
  readonly cores: number;
  /** Which build and kernels a model would run with; undefined where none runs. */
  readonly build: Variant | undefined;
  readonly kernel: RowKernel | undefined;
  /** How many threads a model would get unless told otherwise. */
  readonly threads: number;
  readonly findings: readonly Finding[];
  /** Of one thread: ternary weights multiplied a second, and bytes of memory read. */
  readonly speed?: { readonly weightsPerSecond: number; readonly bytesPerSecond: number };
}

/** 1.6 MB of weights: more than first-level caches hold, so that it is near what a model gets. */
const [ROWS, COLS] = [2560, 2560];
const WARM_MS = 60;
const MEASURE_MS = 120;
const READ_BYTES = 64_000_000;
const ANSWER_MS = 3000;

/** Takes half a second where it measures. Never throws: what is missing is a finding. */
export async function examine(platform: Platform, { measure = true } = {}): Promise<Environment> {
  const findings: Finding[] = [];
  const add: Add = (what, ok, detail) => void findings.push({ what, ok, detail });
  const { runtime, cores } = platform;
  let build: Variant | undefined;
  let modules: readonly WebAssembly.Module[] = [];
  try {
    const chosen = await chooseVariant(false);
    modules = await compile(chosen);
    build = chosen;
    add('WebAssembly SIMD', true, 'there');
  } catch (error) {
    add('WebAssembly SIMD', false, textOf(error));
  }
  const workers = await addWorkers(platform, add);
  const threads = workers ? chooseThreads({}, { ...platform, mayBlock: true }).threads : 1;
  addSharedMemory(add);
  await addStorage(platform, add);
  if (!build) return { runtime, cores, build, kernel: undefined, threads, findings };
  add(
    'relaxed SIMD',
    build === 'relaxed',
    build === 'relaxed' ? 'there' : 'not there: decoding takes two to three times as long, prompts as long as with it',
  );
  const pages = trialPages(ROWS, COLS);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const kernels = await instantiate(modules, memory);
  const kernel = chooseRowKernel(kernels, build);
  if (build === 'relaxed')
    add(
      'dot product of one instruction',
      kernel === 'dot',
      kernel === 'dot' ? 'there' : 'emulated by this engine or processor: decoding takes about 1.5 times as long',
    );
  const found = { runtime, cores, build, kernel, threads, findings };
  if (!measure) return found;
  const trial = new Trial(kernels, memory, ROWS, COLS);
  const run = () => trial.run(TERNARY_ROWS[kernel]);
  timed(run, WARM_MS); // the engine compiles the kernel while it runs
  const weightsPerSecond = (1000 * ROWS * COLS) / timed(run, MEASURE_MS);
  const { bytesPerSecond } = await measureRead(platform, 1, READ_BYTES);
  return { ...found, speed: { weightsPerSecond, bytesPerSecond } };
}

/** Milliseconds of the fastest call. */
function timed(call: () => void, forMs: number): number {
  let best = Number.POSITIVE_INFINITY;
  for (const end = performance.now() + forMs; performance.now() < end; ) {
    const started = performance.now();
    for (let i = 0; i < 8; i++) call();
    best = Math.min(best, (performance.now() - started) / 8);
  }
  return best;
}

type Add = (what: string, ok: boolean, detail: string) => void;

/** Starts one, and has it answer. */
async function addWorkers(platform: Platform, add: Add): Promise<boolean> {
  let thread: PoolThread | undefined;
  let timer: ReturnType<typeof setTimeout> | undefined;
  try {
    const worker = await platform.spawn('pool', poolWorker);
    thread = new PoolThread(worker);
    const memory = {} as WebAssembly.Memory; // of no modules
    const silence = new Promise<never>((_, reject) => {
      timer = setTimeout(() => reject(new Error(`one started, but gave no answer within ${ANSWER_MS} ms`)), ANSWER_MS);
    });
    await Promise.race([thread.ask({ kind: 'start', modules: [], memory }), silence]);
    add('workers', true, `they start, from ${worker.from}`);
    return true;
  } catch (error) {
    add('workers', false, `${textOf(error)}; the engine runs in the thread that loads it`);
    return false;
  } finally {
    clearTimeout(timer);
    thread?.terminate();
  }
}

function addSharedMemory(add: Add): void {
  const shared = canShareMemory();
  const cure = globalThis.crossOriginIsolated
    ? 'the page is cross-origin isolated, but this browser has none'
    : 'a page gets it by the headers Cross-Origin-Opener-Policy: same-origin and ' +
      'Cross-Origin-Embedder-Policy: require-corp, from its server or from a service worker that adds them';
  add('shared memory', shared, shared ? 'there: several threads' : `one thread; ${cure}`);
}

async function addStorage(platform: Platform, add: Add): Promise<void> {
  try {
    const { name, freeBytes } = await platform.openStore();
    const free = await freeBytes();
    add('storage for models', true, name + (free === undefined ? '' : `, ${Math.round(free / 1e6)} MB free`));
  } catch (error) {
    add('storage for models', false, textOf(error));
  }
  const locks = await platform.hasLocks?.();
  if (locks !== undefined)
    add(
      'locks',
      locks,
      locks
        ? 'there'
        : 'not there: two tabs may download the same file, and a worker that the browser ended is not noticed',
    );
}

function textOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
