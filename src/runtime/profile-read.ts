// How fast WebAssembly reads memory here: the limit of a decode step. The engine's own pool and walker run a program that
// does nothing but load.
import { TernlightError } from '../errors.ts';
import type { Kernels } from '../kernels.d.ts';
import type { Plan, Step } from '../plan/plan.ts';
import type { Platform } from '../platform/platform.ts';
import { PAGE_BYTES } from './arena.ts';
import { Pool } from './pool.ts';
import { readProgram, UNIT_BYTES } from './profile-program.ts';
import { Walker } from './walk.ts';

/** More than the caches of nearly all processors hold; whole units. */
const REGION_BYTES = 256_000_000;
const LEAST_PASSES = 4;
const LEAST_MS = 500;

export interface ReadRate {
  /** Of a region that is read again and again. */
  readonly regionBytes: number;
  readonly passes: number;
  /** Of the fastest pass: what else runs on the machine can only take away. */
  readonly bytesPerSecond: number;
}

/** Reads a region of its own with `threads` threads. */
export async function measureRead(platform: Platform, threads: number, regionBytes = REGION_BYTES): Promise<ReadRate> {
  const memory = createMemory(regionBytes, threads > 1);
  // Pages that nobody has written to are all the same one, which the cache holds.
  new Uint8Array(memory.buffer, PAGE_BYTES).fill(1);
  const module = await WebAssembly.compile(readProgram(threads > 1));
  const { exports } = await WebAssembly.instantiate(module, { env: { memory } });
  // Threads take units of the region as they take rows of a matrix.
  const kernel = 'read' as Step['kernel'];
  const read = { kernel, args: [PAGE_BYTES], rows: Math.floor(regionBytes / UNIT_BYTES), align: 1 };
  const plans: Plan[] = [[{ label: 'read', perToken: false, steps: [read] }]];
  const walk = { control: 0, threads, spins: 0, patience: 0 };
  const pool =
    threads > 1 ? await Pool.start(platform, { modules: [module], memory }, threads, walk.control) : undefined;
  try {
    await pool?.serve({ ...walk, plans }, new Array(threads).fill(0));
    const kernels = exports as unknown as Kernels;
    const walker = new Walker({ kernels, memory, ...walk, scratch: 0, thread: 0 }, plans);
    const pass = () => {
      const started = performance.now();
      pool?.begin(0);
      walker.walk(0);
      return performance.now() - started;
    };
    pass(); // the engine compiles the loop while it runs for the first time
    let [passes, fastest, spent] = [0, Infinity, 0];
    for (; passes < LEAST_PASSES || spent < LEAST_MS; passes++) {
      const ms = pass();
      fastest = Math.min(fastest, ms);
      spent += ms;
    }
    return { regionBytes, passes, bytesPerSecond: (1000 * regionBytes) / fastest };
  } finally {
    pool?.dispose();
  }
}

/** A page for the control block, then the region. */
function createMemory(regionBytes: number, shared: boolean): WebAssembly.Memory {
  const pages = 1 + Math.ceil(regionBytes / PAGE_BYTES);
  try {
    return new WebAssembly.Memory(shared ? { initial: pages, maximum: pages, shared } : { initial: pages });
  } catch (cause) {
    throw new TernlightError(
      'environment',
      `profile: ${regionBytes} bytes to measure how fast memory is read were refused`,
      { cause },
    );
  }
}
