// What a loaded model keeps resident beyond the bare runtime, against what its parts must take. MB.
//   node bench/memory.mjs [--shapes bitnet-0.7b,bitnet-2b-4t] [--kv f16,i8,i4] [--ctx 2048] [--threads 1] [--tokens 16] [--rounds 3]
//     [--fill]       also feeds as many tokens as the context holds: the whole cache is then touched
//     [--node PATH]  the Node that loads (default: this one)
//     [--keep]       leaves the files in the temporary folder: 0.3 and 1.2 GB
//     [--json]
// Each model in a process of its own: loaded from a file, a prompt and some tokens generated, then garbage collected. The
// bare runtime is the same program without a model. "Needed" is ternary weights at two bits, embedding and head at eight, and
// the codes of the whole context's cache: no scales, no activations. Positions not used yet are not resident, so a short
// answer takes less than all of it.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { folder, modelFile, shapes } from './model-file.mjs';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'bitnet-0.7b,bitnet-2b-4t' },
    kv: { type: 'string', default: 'f16,i8,i4' },
    ctx: { type: 'string', default: '2048' },
    threads: { type: 'string', default: '1' },
    tokens: { type: 'string', default: '16' },
    rounds: { type: 'string', default: '3' },
    fill: { type: 'boolean', default: false },
    node: { type: 'string', default: process.execPath },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const dist = new URL('../dist/ternlight.js', import.meta.url);
if (!existsSync(dist)) throw new Error(`${fileURLToPath(dist)} is missing: run node scripts/build.mjs`);

/** The program of a turn: prints { resident: { rss, anonymous }, memory }, bytes. */
const turn = `
const [library, file, kv, ctx, threads, tokens, fill] = process.argv.slice(1);
let info;
if (file) {
  const { load } = await import(library);
  const model = await load(file, { kv, contextLength: Number(ctx), threads: Number(threads) });
  info = model.info;
  const session = await model.session();
  const count = fill === 'true' ? Number(ctx) : 16 + Number(tokens);
  const ids = Array.from({ length: count }, (_, i) => (i * 7919 + 13) % info.vocabSize);
  await session.feed(ids.slice(0, count - Number(tokens)));
  for (const id of ids.slice(count - Number(tokens))) await session.feed([id]);
}
// What is freed goes back to the system a little later.
for (let i = 0; i < 5; i++) {
  gc();
  await new Promise((resolve) => setTimeout(resolve, 50));
}
const { readFileSync } = await import('node:fs');
const { rss } = process.memoryUsage();
// Linux tells apart what is the process' own and what are pages of files: of the runtime's program.
let status = '';
try {
  status = readFileSync('/proc/self/status', 'utf8');
} catch {}
const anonymous = 1024 * (/RssAnon:[^0-9]*([0-9]+)/.exec(status)?.[1] ?? Number.NaN);
console.log(JSON.stringify({ resident: { rss, anonymous }, memory: info?.memory }));
process.exit();
`;

function measure(...args) {
  const all = ['--expose-gc', '--input-type=module', '-e', turn, dist.href, ...args];
  return JSON.parse(execFileSync(options.node, all, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

/** Of a transformer whose embedding is its head. */
function neededBytes(shape, kv) {
  const { nLayers, dim, hiddenDim, nHeads, nKvHeads, headDim, vocabSize } = shapes[shape];
  const layer = dim * headDim * (2 * nHeads + 2 * nKvHeads) + 3 * dim * hiddenDim;
  const cached = 2 * nLayers * nKvHeads * headDim * Number(options.ctx);
  return (nLayers * layer) / 4 + vocabSize * dim + cached * { f32: 4, f16: 2, i8: 1, i4: 0.5 }[kv];
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];
/** Medians over processes. */
function medians(runs) {
  const of = (key) => median(runs.map(({ resident }) => resident[key]));
  return { rss: of('rss'), anonymous: of('anonymous') };
}

const bare = medians(Array.from({ length: 5 }, () => measure()));

const results = [];
try {
  for (const shape of options.shapes.split(',')) {
    const file = await modelFile(shape);
    for (const kv of options.kv.split(',')) {
      const runs = Array.from({ length: Number(options.rounds) }, () =>
        measure(file, kv, options.ctx, options.threads, options.tokens, String(options.fill)),
      );
      const { memory } = runs[0];
      const { rss, anonymous } = medians(runs);
      const [own, ownAnonymous] = [rss - bare.rss, anonymous - bare.anonymous];
      const needed = neededBytes(shape, kv);
      results.push({ shape, kv, own, ownAnonymous, needed, ratio: own / needed, memory });
    }
  }
} finally {
  if (!options.keep) rmSync(folder, { recursive: true, force: true });
}
const head = {
  machine: cpus()[0]?.model.trim(),
  node: execFileSync(options.node, ['--version'], { encoding: 'utf8' }),
};
head.node = head.node.trim();
const mb = (bytes) => (bytes / 1e6).toFixed(0);
if (options.json) console.log(JSON.stringify({ ...head, bare, results }));
else {
  console.log(
    `${head.machine}, Node ${head.node}, ${options.threads} threads, context ${options.ctx}; bare ${mb(bare.rss)} MB\n`,
  );
  console.log(
    '| shape | kv | resident less bare | needed | ratio | without pages of files | planned |\n|---|---|---|---|---|---|---|',
  );
  for (const { shape, kv, own, ownAnonymous, needed, ratio, memory } of results)
    console.log(
      `| ${shape} | ${kv} | ${mb(own)} | ${mb(needed)} | ${ratio.toFixed(2)} | ${mb(ownAnonymous)} | ${mb(memory.oneSessionBytes)} |`,
    );
}
