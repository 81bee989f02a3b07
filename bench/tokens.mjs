// Tokens a second of the built package, on random weights of published shapes: prompts of 128 and 512 tokens, 64 single
// tokens after 128, the first token of a prompt right after loading, and how much of what memory gives a step reads.
//   npm run build && node bench/tokens.mjs [--shapes 0.7b,2b-4t] [--threads 1,2] [--kernels auto,wide] [--rounds 5]
//     [--long] [--json]
// --kernels: dot, i16, wide, or auto: what the engine would choose.
// --long: instead of all that, single tokens at contexts of 128 and 4096, with f16 and i8 caches.
// Every turn is a process of its own; settings take turns; medians.
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { headline, machine } from './build.mjs';
import { turnInNode } from './peers/node.mjs';
import { median } from './peers/report.mjs';

const { values: options } = parseArgs({
  options: {
    shapes: { type: 'string', default: '0.7b,2b-4t' },
    threads: { type: 'string', default: '1,2' },
    kernels: { type: 'string', default: 'auto' },
    rounds: { type: 'string' },
    long: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const CONTEXTS = [128, 4096];
const KV = ['f16', 'i8'];
const LIMIT_MS = 30 * 60_000;
const library = pathToFileURL(fileURLToPath(new URL('../dist/ternlight.js', import.meta.url))).href;
// A turn of --long has its rounds inside: filling a context takes longer than all of them.
const rounds = Number(options.rounds ?? (options.long ? 1 : 5));

const settings = options.shapes
  .split(',')
  .flatMap((shape) =>
    options.threads
      .split(',')
      .flatMap((threads) =>
        options.kernels
          .split(',')
          .flatMap((kernel) =>
            (options.long ? KV : [undefined]).map((kv) => ({ shape, threads: Number(threads), kernel, kv, turns: [] })),
          ),
      ),
  );

for (let round = 0; round < rounds; round++)
  for (const { shape, threads, kernel, kv, turns } of settings) {
    process.stderr.write(`round ${round + 1} of ${rounds}: ${shape}, ${threads} threads, ${kernel} ${kv ?? ''}\n`);
    const values = {
      ...{ library, source: `synthetic:bitnet-${shape}`, threads },
      ...(kernel !== 'auto' && { kernel }),
      ...(kv && { long: { contexts: CONTEXTS, kv } }),
    };
    turns.push(await turnInNode('../tokens/turn', values, { limitMs: LIMIT_MS }));
  }

/** Medians of the turns of a setting. */
function summarize({ shape, threads, kv, turns }) {
  const of = (value) => median(turns.map(value));
  const { build, kernel } = turns[0];
  const head = { shape, threads, build, kernel, rounds: turns.length };
  if (kv) {
    const decode = Object.fromEntries(CONTEXTS.map((n) => [n, median(turns.flatMap(({ rates }) => rates[n]))]));
    const [short, long] = CONTEXTS;
    const ratios = turns.flatMap(({ rates }) => rates[long].map((rate, i) => rate / rates[short][i]));
    return { ...head, kv, decode, ratio: median(ratios) };
  }
  return {
    ...head,
    prefill: of(({ perSecond }) => perSecond.prefill),
    prefillLong: of(({ perSecond }) => perSecond.prefillLong),
    decode: of(({ perSecond }) => perSecond.decode),
    firstMs: of(({ firstMs }) => firstMs),
    stepMB: of(({ stepBytes }) => stepBytes) / 1e6,
    readGBs: of(({ readPerSecond }) => readPerSecond) / 1e9,
    readShare: of(({ readShare }) => readShare),
    // Below the number of threads others were at work, or a thread waited.
    decodeCores: of(({ cores }) => cores.decode),
    peakMB: Math.max(...turns.map(({ peakMB }) => peakMB)),
    loadMs: of(({ loadMs }) => loadMs),
  };
}

function line(result) {
  const { shape, threads, build, kernel, kv, decode, ratio } = result;
  const name = `${shape}, ${threads} thread${threads > 1 ? 's' : ''}, ${build}, ${kernel}`.padEnd(44);
  if (kv) {
    const rates = CONTEXTS.map((context) => `${decode[context].toFixed(1).padStart(6)} at ${context}`);
    return `${name} ${kv.padEnd(4)} decode tok/s ${rates.join(', ')}: ${ratio.toFixed(2)}x`;
  }
  const { prefill, prefillLong, firstMs, stepMB, readGBs, readShare, decodeCores } = result;
  return (
    `${name} prefill ${prefill.toFixed(0)} (128), ${prefillLong.toFixed(0)} (512), decode ${decode.toFixed(1)} tok/s ` +
    `(${decodeCores.toFixed(2)} cores); first token after ${firstMs.toFixed(0)} ms; ` +
    `a step reads ${stepMB.toFixed(0)} MB, ${(100 * readShare).toFixed(0)} % of ${readGBs.toFixed(1)} GB/s`
  );
}

const header = machine();
const results = settings.map(summarize);
if (options.json) console.log(JSON.stringify({ ...header, results }));
else console.log([headline(header), ...results.map(line)].join('\n'));
