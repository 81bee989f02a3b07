// The barrier with real threads: nobody passes before all have arrived, asleep or spinning, and counters may wrap.
import { Worker } from 'node:worker_threads';
import { expect, test } from 'vitest';
import { BARRIER_ARRIVED, BARRIER_EPOCH, BARRIER_FAILED, BARRIER_SLEEPERS } from '../../assembly/layout.ts';
import { forEachVariant, type Variant } from './variants.ts';

const THREADS = 3;
const ROUNDS = 2000;
const CONTROL = 4096;
const COUNTS = 8192;

/** Counts its rounds in a word of its own; after each barrier all others must have reached the same round. */
const program = `
const { parentPort, workerData: d } = require('node:worker_threads');
const { exports: k } = new WebAssembly.Instance(d.module, { env: { memory: d.memory, abort() {} } });
const counts = new Int32Array(d.memory.buffer, d.counts, d.threads * 16);
let failed = '';
for (let round = 1; round <= d.rounds; round++) {
  Atomics.store(counts, d.id * 16, round);
  k.barrier(d.control, d.threads, (d.epoch + round) | 0, d.spins, 30);
  for (let t = 0; t < d.threads; t++) {
    const seen = Atomics.load(counts, t * 16);
    if (seen < round || seen > round + 1) failed ||= 'thread ' + t + ' at ' + seen + ' in round ' + round;
  }
}
parentPort.postMessage(failed);
`;

async function meet(v: Variant, spins: number, epoch: number): Promise<string[]> {
  const words = new Int32Array(v.memory.buffer);
  words.fill(0, 0, 256);
  words.fill(0, CONTROL >> 2, (COUNTS >> 2) + THREADS * 16);
  words[(CONTROL + BARRIER_ARRIVED) >> 2] = Math.imul(THREADS, epoch);
  words[(CONTROL + BARRIER_EPOCH) >> 2] = epoch;
  const shared = { module: v.modules[0], memory: v.memory, control: CONTROL, counts: COUNTS };
  const workers = Array.from({ length: THREADS }, (_, id) => {
    const workerData = { ...shared, id, threads: THREADS, rounds: ROUNDS, spins, epoch };
    return new Worker(program, { eval: true, workerData });
  });
  const results = workers.map(
    (w) =>
      new Promise<string>((resolve, reject) => {
        w.once('message', resolve);
        w.once('error', reject);
      }),
  );
  const failures = await Promise.all(results);
  await Promise.all(workers.map((w) => w.terminate()));
  expect(words[(CONTROL + BARRIER_SLEEPERS) >> 2]).toBe(0);
  // Address 0 is what a lost local would point to.
  expect(words.slice(0, 256).every((w) => w === 0)).toBe(true);
  return failures;
}

forEachVariant((get, name) => {
  if (!name.endsWith('threads')) {
    test('a build without threads cannot wait, and has nobody to wait for', () => {
      expect(() => get().kernels.awaitAtLeast(CONTROL, CONTROL + 64, 2 ** 30, 0)).toThrow(WebAssembly.RuntimeError);
      // One thread is the last to arrive.
      get().kernels.barrier(CONTROL + 1024, 1, 1, 0, 30);
    });
    return;
  }
  for (const spins of [0, 100, 100_000])
    test(`${THREADS} threads, ${ROUNDS} rounds, ${spins} spins`, async () => {
      expect(await meet(get(), spins, 0)).toEqual(['', '', '']);
    });

  test('epochs and arrivals wrap around', async () => {
    expect(await meet(get(), 50, 2 ** 31 - 1000)).toEqual(['', '', '']);
    expect(await meet(get(), 50, -1000)).toEqual(['', '', '']);
  });

  test('traps where a thread does not come, and at once where one has died', () => {
    const { kernels, memory } = get();
    const words = new Int32Array(memory.buffer);
    const meetAlone = (patience: number) => {
      words.fill(0, CONTROL >> 2, (CONTROL + 512) >> 2);
      words[(CONTROL + BARRIER_FAILED) >> 2] = patience === 30 ? 2 : 0;
      const started = performance.now();
      expect(() => kernels.barrier(CONTROL, 2, 1, 10, patience)).toThrow(WebAssembly.RuntimeError);
      return performance.now() - started;
    };
    expect(meetAlone(1)).toBeGreaterThan(900);
    expect(meetAlone(30)).toBeLessThan(900);
  });

  test('awaitAtLeast returns for a value that was reached or passed', () => {
    const v = get();
    new Int32Array(v.memory.buffer)[CONTROL >> 2] = 7;
    v.kernels.awaitAtLeast(CONTROL, CONTROL + 64, 7, 0);
    v.kernels.awaitAtLeast(CONTROL, CONTROL + 64, 5, 3);
  });
}, 16);
