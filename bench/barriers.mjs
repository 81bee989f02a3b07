// What a stage costs beside its kernels: the pool and the walker as shipped, plans of stages that compute nothing.
//   node bench/barriers.mjs [--threads 1,2] [--variant relaxed] [--rounds 9] [--json]
// Microseconds, medians over rounds in which the cases take turns. A decode step of the 2B-4T shape has 302 stages.
import { setTimeout } from 'node:timers/promises';
import { parseArgs } from 'node:util';
import { bestVariant, headline, kernelsOf, machine, memoryOf, modulesOf } from './build.mjs';
import { importSources } from './bundle.mjs';
import { median } from './peers/report.mjs';

const { values: options } = parseArgs({
  options: {
    threads: { type: 'string', default: '1,2' },
    variant: { type: 'string' },
    rounds: { type: 'string', default: '9' },
    json: { type: 'boolean', default: false },
  },
});
const ours = await importSources(`
export { CONTROL_BYTES, RANGE_ALL } from './assembly/layout.ts';
export { currentPlatform } from './src/platform/current.ts';
export { BARRIER_PATIENCE, BARRIER_SPINS, Pool } from './src/runtime/pool.ts';
export { Walker } from './src/runtime/walk.ts';
`);

const STAGES = 300;
const WALKS = 20;
/** Longer than a thread spins before it sleeps. */
const PAUSE_MS = 3;

// Any export that does nothing will do as a kernel.
const step = (rows, options) => ({ kernel: 'heapBase', args: [], rows, align: 32, ...options });
const plan = (count, steps) => Array.from({ length: count }, () => ({ label: '', perToken: false, steps }));
/** `least`: threads that it takes. */
const CASES = [
  { name: 'stage: the barrier alone', plan: plan(STAGES, []) },
  {
    name: 'stage: one token, taken by the last thread',
    plan: plan(STAGES, [step(1, { align: 1, range: ours.RANGE_ALL })]),
  },
  { name: 'stage: 64 rows in chunks', plan: plan(STAGES, [step(64)]) },
  { name: 'stage: 6912 rows in chunks', plan: plan(STAGES, [step(6912)]) },
  { name: 'plan of one stage, the others spin', plan: plan(1, []), least: 2 },
  { name: 'plan of one stage, the others sleep', plan: plan(1, []), least: 2, pauseMs: PAUSE_MS },
];

/** Threads over a memory of their own: how long each case takes, in microseconds a stage. */
async function measure(threads) {
  const variant = `${options.variant ?? bestVariant()}${threads > 1 ? '-threads' : ''}`;
  const modules = modulesOf(variant);
  const memory = memoryOf(variant, 4);
  const kernels = kernelsOf(modules, memory);
  const control = Math.ceil(kernels.heapBase() / 64) * 64;
  const scratch = control + ours.CONTROL_BYTES;
  new Int32Array(memory.buffer, control + ours.RANGE_ALL, 2).set([0, 1]);
  const cases = CASES.filter(({ least = 1 }) => threads >= least);
  const plans = cases.map((c) => c.plan);
  const task = { plans, control, threads, spins: ours.BARRIER_SPINS, patience: ours.BARRIER_PATIENCE };
  const platform = ours.currentPlatform();
  const pool = threads > 1 ? await ours.Pool.start(platform, { modules, memory }, threads, control) : undefined;
  await pool?.serve(task, new Array(threads).fill(scratch));
  const walker = new ours.Walker({ kernels, memory, ...task, scratch, thread: 0 }, plans);
  const times = cases.map(() => []);
  // The first round warms up.
  for (let round = 0; round <= Number(options.rounds); round++)
    for (const [i, { pauseMs }] of cases.entries()) {
      let spent = 0;
      for (let walk = 0; walk < WALKS; walk++) {
        if (pauseMs) await setTimeout(pauseMs);
        const started = performance.now();
        pool?.begin(i);
        walker.walk(i);
        spent += performance.now() - started;
      }
      if (round > 0) times[i].push((1000 * spent) / WALKS / plans[i].length);
    }
  pool?.dispose();
  return cases.map(({ name }, i) => ({ threads, name, us: median(times[i]), best: Math.min(...times[i]) }));
}

const header = { ...machine(), variant: options.variant ?? bestVariant() };
const results = [];
for (const threads of options.threads.split(',')) results.push(...(await measure(Number(threads))));
if (options.json) console.log(JSON.stringify({ ...header, results }));
else {
  console.log(headline(header));
  for (const { threads, name, us, best } of results)
    console.log(
      `${threads} thread${threads > 1 ? 's' : ' '} ${name.padEnd(44)} ${us.toFixed(2).padStart(8)} us  best ${best.toFixed(2)}`,
    );
}
