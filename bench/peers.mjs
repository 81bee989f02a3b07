// Speed beside other engines, measured in turns in one run: ternlight in Node and Chromium, llama.cpp native
// (node-llama-cpp) and in WebAssembly (wllama), on models of the same shapes with random weights.
//   npm run build && npm run bench:peers [-- --shapes 0.7b,2b-4t --threads 1,2 --repeats 5 --peers llama,wllama]
//     [--node PATH]  the Node that runs ternlight (default: this one)
//     [--quick]      one round of 0.7b
//     [--json]       JSON in place of the table
//     [--out FILE]   keeps the JSON; in a folder such as bench/results, as DATE-MACHINE.json
//     [--keep]       leaves the model files in the temporary folder: 0.2 and 0.8 GB
// Packages are installed there by the first run. Every turn is a process of its own, so that memory does not add up and
// lies elsewhere each time; in a round each engine has a turn. Chromium: CHROMIUM=path, or found in PATH.
import { existsSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { check } from './peers/check.mjs';
import { findChromium } from './peers/chromium.mjs';
import { engines, modelFile, models, root, served } from './peers/engines.mjs';
import { writeModel } from './peers/gguf.mjs';
import { install } from './peers/install.mjs';
import { readOptions } from './peers/options.mjs';
import { keep, machine, toJson, versionsOf } from './peers/record.mjs';
import { ratios, summarize } from './peers/report.mjs';
import { serve } from './peers/server.mjs';
import { table } from './peers/table.mjs';

function say(text) {
  process.stderr.write(`${text}\n`);
}

/** Runs all turns; a failed engine drops out of its shape and number of threads. */
async function measureAll({ shapes, threadCounts, repeats }, place, taking) {
  const groups = shapes.flatMap((shape) =>
    threadCounts.flatMap((threads) =>
      taking
        .filter((engine) => threads <= (engine.maxThreads ?? threads))
        .map((engine) => ({ shape, threads, engine, turns: [], error: undefined })),
    ),
  );
  for (const shape of shapes)
    for (let round = 0; round < repeats; round++)
      for (const group of groups.filter((other) => other.shape === shape)) {
        const { threads, engine } = group;
        if (group.error || round >= (engine.rounds ?? repeats)) continue;
        say(`${shape}, round ${round + 1} of ${repeats}, ${threads} threads: ${engine.label}`);
        try {
          group.turns.push(await engine.run({ ...place, shape }, { threads, counts: engine.counts }));
        } catch (error) {
          group.error = error.message;
          say(`  failed: ${error.message}`);
        }
      }
  return groups;
}

/** The engines to measure: those of the peers asked for that can run here. */
function enginesFor(peers, chromium) {
  const taking = engines.filter((engine) => engine.peers.some((peer) => peers.includes(peer)));
  if (chromium || !peers.includes('wllama')) return taking;
  say('skipped: Chromium and wllama (no browser in PATH; install it or set CHROMIUM)');
  return taking.filter((engine) => !engine.peers.includes('wllama'));
}

async function main(options) {
  if (!existsSync(join(root, 'dist/ternlight.js'))) throw new Error('dist/ternlight.js is missing: npm run build');
  const chromium = findChromium();
  const taking = enginesFor(options.peers, chromium);
  const packages = install(options.peers);
  for (const shape of options.shapes) {
    say(`writing ${modelFile(shape)}`);
    writeModel(modelFile(shape), shape);
  }
  const date = new Date().toISOString();
  const before = machine();
  const server = await serve(served);
  try {
    const place = { node: options.node, chromium, origin: server.origin };
    const groups = await measureAll(options, place, taking);
    const checks = await check(place, groups);
    const results = groups.map(summarize);
    const versions = { ...versionsOf(groups), ...packages };
    const { repeats } = options;
    const report = { date, machine: before, versions, repeats, results, ratios: ratios(results), checks };
    process.stdout.write(options.json ? toJson(report) : table(report));
    if (options.out) say(`kept in ${keep(report, options.out)}`);
    if (groups.some(({ error }) => error) || checks.some(({ same }) => !same)) process.exitCode = 1;
  } finally {
    server.close();
  }
}

try {
  const options = readOptions();
  const cleanUp = () => {
    if (!options.keep) rmSync(models, { recursive: true, force: true });
  };
  process.once('SIGINT', () => {
    cleanUp();
    process.exit(130);
  });
  await main(options).finally(cleanUp);
} catch (error) {
  say(error.message);
  process.exitCode = 1;
}
