// What these surroundings offer an engine, and what speed to expect of them: for `ternlight doctor` and for pages.

import { TERNARY_ROWS } from './plan/matmul.ts';
import type { RowKernel } from './plan/types.ts';
import type { Platform } from './platform/platform.ts';
import { instantiate } from './runtime/instantiate.ts';
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

/** Takes half a second where it measures. Never throws: what is missing is a finding. */
export async function examine(platform: Platform, { measure = true } = {}): Promise<Environment> {
  const findings: Finding[] = [];
  const add = (what: string, ok: boolean, detail: string) => findings.push({ what, ok, detail });
  const { runtime, cores } = platform;
  let build: Variant | undefined;
  try {
    build = await chooseVariant(false);
    add('WebAssembly SIMD', true, 'there');
  } catch (error) {
    add('WebAssembly SIMD', false, error instanceof Error ? error.message : String(error));
  }
  const worker = await startsWorker(platform);
  add('workers', worker === undefined, worker ?? 'one from text starts');
  const { threads, note } = chooseThreads({}, { ...platform, mayBlock: true });
  const shared = canShareMemory();
  add(
    'shared memory',
    shared,
    shared
      ? 'there: several threads'
      : 'one thread; a page gets it by the headers Cross-Origin-Opener-Policy: same-origin and Cross-Origin-Embedder-Policy: require-corp',
  );
  if (!build) return { runtime, cores, build, kernel: undefined, threads, findings };
  add(
    'relaxed SIMD',
    build === 'relaxed',
    build === 'relaxed' ? 'there' : 'not there: decoding takes two to three times as long, prompts as long as with it',
  );
  const pages = trialPages(ROWS, COLS);
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages });
  const kernels = await instantiate(await compile(build), memory);
  const kernel = chooseRowKernel(kernels, build);
  if (build === 'relaxed')
    add(
      'dot product of one instruction',
      kernel === 'dot',
      kernel === 'dot' ? 'there' : 'emulated by this engine or processor: decoding takes about 1.5 times as long',
    );
  await addStorage(add);
  const found = { runtime, cores, build, kernel, threads: shared ? threads : 1, findings };
  if (note && shared) add('threads', false, note);
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

/** Why no worker can be started from text; undefined if one can. */
async function startsWorker(platform: Platform): Promise<string | undefined> {
  const cure = 'a Content-Security-Policy needs worker-src blob:';
  try {
    const worker = platform.spawn(platform.hello);
    return await new Promise((resolve) => {
      const timer = setTimeout(() => done(`none answered within 3 s; ${cure}`), 3000);
      const done = (problem?: string) => {
        clearTimeout(timer);
        worker.terminate();
        resolve(problem);
      };
      worker.onMessage(() => done());
      worker.onError((error) => done(`${error.message}; ${cure}`));
    });
  } catch (error) {
    return `${error instanceof Error ? error.message : String(error)}; ${cure}`;
  }
}

async function addStorage(add: (what: string, ok: boolean, detail: string) => void): Promise<void> {
  const storage = (globalThis.navigator as Partial<Navigator> | undefined)?.storage;
  if (!storage?.estimate) return; // no browser, or none that tells
  try {
    const { quota = 0, usage = 0 } = await storage.estimate();
    const room = `${Math.round((quota - usage) / 1e6)} MB free`;
    const opfs =
      typeof storage.getDirectory === 'function' &&
      (await storage.getDirectory().then(
        () => true,
        () => false,
      ));
    add('storage for models', opfs, opfs ? room : `no private file system here (a private window?); ${room}`);
  } catch (error) {
    add('storage for models', false, String(error));
  }
}
