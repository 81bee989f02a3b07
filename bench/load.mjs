// How fast a model's file is loaded, against reading it: MB of the file a second.
//   node bench/load.mjs [--shapes bitnet-0.7b,bitnet-2b-4t] [--threads 1,2] [--rounds 5] [--ctx 2048]
//     [--node PATH]     the Node that loads (default: this one)
//     [--against FILE]  another build's ternlight.js, in turns with dist/ternlight.js
//     [--keep]          leaves the files in the temporary folder: 0.3 and 1.2 GB
//     [--json]
// Every turn is a process of its own, since who loads a model has just started. Files are in the system's cache: a disk or
// a network only adds. "read" is the file in pieces of a MiB into one buffer, "keep" the same spread over fresh memory of the
// size of the packed weights, whose pages the system must find; "load" is all of load(), compiling included.
import { execFileSync } from 'node:child_process';
import { existsSync, rmSync, statSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { folder, modelFile } from './model-file.mjs';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: 'bitnet-0.7b,bitnet-2b-4t' },
    threads: { type: 'string', default: '1,2' },
    rounds: { type: 'string', default: '5' },
    ctx: { type: 'string', default: '2048' },
    node: { type: 'string', default: process.execPath },
    against: { type: 'string' },
    keep: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const ours = new URL('../dist/ternlight.js', import.meta.url).href;
if (!existsSync(fileURLToPath(ours))) throw new Error(`${fileURLToPath(ours)} is missing: run node scripts/build.mjs`);
const other = options.against && pathToFileURL(options.against).href;

/** The program of a turn: prints { ms, cpuMs, weightsBytes }. */
const turn = `
const [what, file, threads, ctx, keptBytes] = process.argv.slice(1);
const library = what.startsWith('file:') ? await import(what) : undefined;
let weightsBytes;
const started = performance.now();
const before = process.cpuUsage();
if (library) {
  const { info } = await library.load(file, { threads: Number(threads), contextLength: Number(ctx) });
  ({ weightsBytes } = info.memory);
} else {
  const { open } = await import('node:fs/promises');
  const handle = await open(file);
  const { size } = await handle.stat();
  const pieceBytes = 2 ** 20;
  const kept = new Uint8Array(pieceBytes + (what === 'keep' ? Number(keptBytes) : 0));
  for (let at = 0; at < size; at += pieceBytes)
    await handle.read(kept, Math.floor(((kept.length - pieceBytes) * at) / size), pieceBytes, at);
}
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ ms: performance.now() - started, cpuMs: (user + system) / 1000, weightsBytes }));
process.exit();
`;

function measure(what, file, threads, keptBytes) {
  const args = ['--input-type=module', '-e', turn, what, file, String(threads), options.ctx, String(keptBytes)];
  return JSON.parse(execFileSync(options.node, args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] }));
}

const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

async function measureShape(shape) {
  const file = await modelFile(shape);
  const turns = ['read', 'keep'].map((what) => ({ name: what, what, threads: 1 }));
  for (const threads of options.threads.split(',').map(Number)) {
    turns.push({ name: 'load', what: ours, threads });
    if (other) turns.push({ name: 'against', what: other, threads });
  }
  const taken = turns.map(() => []);
  const { weightsBytes } = measure(ours, file, 1, 0);
  // The first round brings the file into the system's cache.
  for (let round = 0; round <= Number(options.rounds); round++)
    for (const [i, { what, threads }] of turns.entries()) {
      const result = measure(what, file, threads, weightsBytes);
      if (round > 0) taken[i].push(result);
    }
  const { size } = statSync(file);
  return turns.map(({ name, threads }, i) => ({
    ...{ shape, name, threads, fileMB: size / 1e6 },
    ms: median(taken[i].map(({ ms }) => ms)),
    cpuMs: median(taken[i].map(({ cpuMs }) => cpuMs)),
    mbPerSecond: median(taken[i].map(({ ms }) => size / 1e3 / ms)),
    // Of neighbours in time, then the median: steadier than the ratio of medians.
    ofReading: median(taken[i].map(({ ms }, round) => taken[0][round].ms / ms)),
    ofKeeping: median(taken[i].map(({ ms }, round) => taken[1][round].ms / ms)),
    best: Math.min(...taken[i].map(({ ms }) => ms)),
  }));
}

const results = [];
try {
  for (const shape of options.shapes.split(',')) results.push(...(await measureShape(shape)));
} finally {
  if (!options.keep) rmSync(folder, { recursive: true, force: true });
}
const head = {
  machine: cpus()[0]?.model.trim(),
  node: execFileSync(options.node, ['--version'], { encoding: 'utf8' }),
};
head.node = head.node.trim();
if (options.json) console.log(JSON.stringify({ ...head, results }));
else {
  console.log(`${head.machine}, Node ${head.node}, medians of ${options.rounds}\n`);
  console.log(
    '| shape | | threads | ms | CPU ms | best ms | MB/s | of reading | of keeping |\n|---|---|---|---|---|---|---|---|---|',
  );
  for (const { shape, name, threads, ms, cpuMs, best, mbPerSecond, ofReading, ofKeeping } of results)
    console.log(
      `| ${shape} | ${name} | ${threads} | ${ms.toFixed(0)} | ${cpuMs.toFixed(0)} | ${best.toFixed(0)} | ${mbPerSecond.toFixed(0)} | ${ofReading.toFixed(2)} | ${ofKeeping.toFixed(2)} |`,
    );
}
