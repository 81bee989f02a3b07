// Would two workers without shared memory pay, each with its rows of the weights, swapping activations by messages? The
// matrices of a model by the shipped kernels, by one worker, by two that swap, by two that do not; in turns.
//   node bench/exchange.mjs [--shape 2b-4t] [--tokens 1] [--perLayer 4] [--kernel dot] [--in node,chromium] [--rounds 7]
//     [--busy 0] [--json]
// --perLayer: swaps a layer. 4: after attention, its output, gate and up, down, as norms between them need (BitNet). 2: where
// no norm needs whole rows. --tokens 128: a chunk of a prompt. --busy: workers that only take processor time.
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { bestVariant, headline, machine } from './build.mjs';
import { turn } from './exchange/turn.mjs';
import { findChromium, turnInChromium } from './peers/chromium.mjs';
import { serve } from './peers/server.mjs';

const { values: options } = parseArgs({
  options: {
    shape: { type: 'string', default: '2b-4t' },
    tokens: { type: 'string', default: '1' },
    perLayer: { type: 'string', default: '4' },
    kernel: { type: 'string', default: 'dot' },
    in: { type: 'string', default: 'node,chromium' },
    rounds: { type: 'string', default: '7' },
    busy: { type: 'string', default: '0' },
    json: { type: 'boolean', default: false },
  },
});
const SHAPES = {
  '0.7b': { layers: 24, dim: 1536, hidden: 4096, qkv: 4608, vocab: 32000 },
  '2b-4t': { layers: 30, dim: 2560, hidden: 6912, qkv: 3840, vocab: 128256 },
};
const KERNELS = {
  dot: { kernel: 'matmulTernaryDot', head: 'matmulI8RowDot' },
  i16: { kernel: 'matmulTernaryI16', head: 'matmulI8RowWide' },
  wide: { kernel: 'matmulTernaryWide', head: 'matmulI8RowWide' },
};
const HEAD_PARTS = 4;

/** The matrices of one pass, with the f32 results that one of two workers sends. */
function slicesOf({ layers, dim, hidden, qkv, vocab }, tokens, perLayer) {
  const half = (rows) => (4 * tokens * rows) / 2;
  const always = (rows) => (perLayer === 4 ? half(rows) : 0);
  const layer = [
    { cols: dim, rows: qkv, swapBytes: always(dim) },
    { cols: dim, rows: dim, swapBytes: half(dim) },
    { cols: dim, rows: 2 * hidden, swapBytes: always(hidden) },
    { cols: hidden, rows: dim, swapBytes: half(dim) },
  ];
  const part = { cols: dim, rows: vocab / HEAD_PARTS, int8: true, swapBytes: 0 };
  const head = Array.from({ length: HEAD_PARTS }, (_, i) => ({ ...part, swapBytes: i === 3 ? 2 * vocab : 0 }));
  return [...Array.from({ length: layers }, () => layer).flat(), ...(tokens === 1 ? head : [])];
}

const tokens = Number(options.tokens);
const shape = SHAPES[options.shape];
const kernels = KERNELS[options.kernel];
const values = {
  ...{ relaxed: bestVariant() === 'relaxed', weightMB: 192, tokens, busy: Number(options.busy) },
  ...{ kernel: tokens === 1 ? kernels.kernel : 'matmulTernaryTiled', head: kernels.head },
  slices: slicesOf(shape, tokens, Number(options.perLayer)),
  ...{ repeats: tokens === 1 ? 16 : 1, rounds: Number(options.rounds) },
};

async function inChromium() {
  const server = await serve({
    bench: fileURLToPath(new URL('.', import.meta.url)),
    build: fileURLToPath(new URL('../build', import.meta.url)),
  });
  const page = `${server.origin}/plain/bench/peers/page.html`;
  try {
    return await turnInChromium('../exchange/turn', values, {
      ...{ executablePath: findChromium(), page, limitMs: 600_000 },
    });
  } finally {
    server.close();
  }
}

const header = {
  ...machine(),
  shape: options.shape,
  tokens,
  swaps: values.slices.filter((s) => s.swapBytes > 0).length,
};
console.log(headline(header));
const results = {};
for (const where of options.in.split(',')) {
  const result = where === 'node' ? await turn(values) : await inChromium();
  results[where] = result;
  const { one, swapping, apart } = result.medians;
  const rate = (ms) => ((1000 * tokens) / ms).toFixed(1);
  const us = (1000 * (swapping - apart)) / header.swaps;
  console.log(
    `${where.padEnd(9)} tok/s: one worker ${rate(one)}, two ${rate(swapping)} (${(one / swapping).toFixed(2)}x), ` +
      `two that swap nothing ${rate(apart)} (${(one / apart).toFixed(2)}x); a swap ${us.toFixed(0)} us; ` +
      `fastest rounds ${['one', 'swapping', 'apart'].map((mode) => rate(Math.min(...result[mode]))).join(', ')}`,
  );
}
if (options.json) console.log(JSON.stringify({ ...header, results }));
