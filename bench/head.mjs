// The int8 head against the one in two steps (H4), one thread, weights from memory: times, candidates, and whether the
// greatest k are the same rows with the same bits. Seeded.
//   node bench/head.mjs [--variant relaxed] [--kernel i16] [--rows 128256] [--cols 2560] [--top 40] [--trials 60] [--weights gauss]
// --weights: gauss; outliers (8 columns 20 times as large, in the activations too); tails (Student's t, 4 degrees)
import { parseArgs } from 'node:util';
import { bestVariant, headline, kernelsOf, machine, memoryOf, modulesOf } from './build.mjs';

const { values: options } = parseArgs({
  options: {
    variant: { type: 'string' },
    kernel: { type: 'string' },
    rows: { type: 'string', default: '128256' },
    cols: { type: 'string', default: '2560' },
    top: { type: 'string', default: '40' },
    trials: { type: 'string', default: '60' },
    weights: { type: 'string', default: 'gauss' },
  },
});
const [rows, cols, top, trials] = ['rows', 'cols', 'top', 'trials'].map((name) => Number(options[name]));
const padded = Math.ceil(rows / 32) * 32;

const variant = options.variant ?? bestVariant();

let state = 1;
const random = () => {
  state = (state + 0x9e3779b9) >>> 0;
  let z = state;
  z = Math.imul(z ^ (z >>> 16), 0x21f0aaad);
  z = Math.imul(z ^ (z >>> 15), 0x735a2d97);
  return ((z ^ (z >>> 15)) >>> 0) / 2 ** 32;
};
const gauss = () => Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());
const heavy = () => gauss() / Math.sqrt((gauss() ** 2 + gauss() ** 2 + gauss() ** 2 + gauss() ** 2) / 4);
/** Rows are windows into one long row: hundreds of millions of independent numbers would take minutes. */
const numbers = Float32Array.from({ length: 1 << 20 }, options.weights === 'tails' ? heavy : gauss);
const outliers = options.weights === 'outliers';

const bytes = 2 * padded * cols + 40 * padded + 64 * 1024 * 1024;
const pages = Math.ceil(bytes / 65536);
const memory = memoryOf(variant, pages);
const k = kernelsOf(modulesOf(variant), memory);
let next = k.heapBase();
const region = (size) => {
  const at = Math.ceil(next / 4096) * 4096;
  next = at + size;
  return at;
};
const f32 = (at, count) => new Float32Array(memory.buffer, at, count);
const a = {
  range: region(64),
  top: region(64),
  thresholds: region(64),
  scales: region(4 * padded),
  q: region(cols),
  x: region(4 * cols),
  qScale: region(64),
  y: region(4 * padded),
  want: region(4 * padded),
  sums: region(4 * padded),
  peaks: region(padded / 4),
  staging: region(64 * cols),
  scratch: region(4 << 20),
  high: region((padded * cols) / 2),
  low: region((padded * cols) / 2),
  int8: region(padded * cols),
};
const windows = new Int32Array(padded);
for (let r = 0; r < padded; r += 16) {
  const block = f32(a.staging, 16 * cols).fill(0);
  for (let i = 0; i < 16 && r + i < rows; i++) {
    windows[r + i] = Math.floor(random() * (numbers.length - cols));
    const row = block.subarray(i * cols, (i + 1) * cols);
    row.set(numbers.subarray(windows[r + i], windows[r + i] + cols));
    if (outliers) for (let c = 0; c < 8; c++) row[c] *= 20;
  }
  k.packH16(a.staging, a.int8 + r * cols, a.scales + 4 * r, cols);
  k.packH4(a.staging, a.high + (r * cols) / 2, a.low + (r * cols) / 2, a.scales + 4 * r, cols);
}
new Int32Array(memory.buffer, a.range, 2).set([0, 1]);

/** A hidden state; every second one leans towards a few rows, as those of a model that knows what comes next. */
function newState(trial) {
  const x = f32(a.x, cols);
  for (let c = 0; c < cols; c++) x[c] = gauss() * (outliers && c < 8 ? 15 : 1);
  for (let i = 0; trial % 2 === 1 && i < 4; i++) {
    const at = windows[Math.floor(random() * rows)];
    for (let c = 0; c < cols; c++) x[c] += numbers[at + c] * 0.1;
  }
  k.quantizeI8(a.x, a.q, a.qScale, cols, cols, cols, 0, 1);
}

const fast = variant.startsWith('relaxed') && k.relaxedDotProbe() !== 0 ? 'dot' : 'i16';
const kernel = options.kernel ?? (variant.startsWith('relaxed') ? fast : 'wide');
/** As src/plan/matmul.ts chooses. */
const int8 = kernel === 'dot' ? 'matmulI8RowDot' : 'matmulI8RowWide';
const estimates = { dot: 'matmulHead4Dot', i16: 'matmulHead4I16', wide: 'matmulHead4Wide' }[kernel];
const refine = kernel === 'dot' ? 'headRefineDot' : 'headRefineWide';
const end = [a.range, 0, padded, a.scratch];
const setTop = (n) => {
  new Int32Array(memory.buffer, a.top, 1)[0] = n;
};
const head = [a.q, a.qScale, a.sums, a.y, a.peaks];
const stages = {
  int8: () => k[int8](a.int8, a.scales, a.q, a.qScale, a.want, cols, padded, ...end),
  estimates: () => k[estimates](a.high, a.scales, ...head, cols, padded, ...end),
  threshold: () => k.headThreshold(a.low, a.scales, ...head, a.thresholds, a.top, rows, cols, padded, 0, 1, a.scratch),
  refine: () => k[refine](a.low, a.scales, ...head, a.thresholds, cols, padded, ...end),
};

/** Ids of the n greatest of `values`, the lower first on ties. */
function greatest(values, n) {
  const limit = values.slice().sort()[values.length - n];
  const ids = [];
  for (let i = 0; i < values.length; i++) if (values[i] >= limit) ids.push(i);
  return ids.sort((i, j) => values[j] - values[i] || i - j).slice(0, n);
}

const times = { int8: [], estimates: [], threshold: [], refine: [], 'refine all': [] };
function timed(name, f) {
  const start = performance.now();
  f();
  times[name].push(performance.now() - start);
}
const counts = [];
let wrong = 0;
let below = Infinity;
for (let trial = -20; trial < trials; trial++) {
  newState(trial + 20);
  if (trial === 0) for (const name in times) times[name] = [];
  timed('int8', stages.int8);
  setTop(top);
  timed('estimates', stages.estimates);
  timed('threshold', stages.threshold);
  timed('refine', stages.refine);
  const want = f32(a.want, rows);
  const got = f32(a.y, rows);
  let exact = 0;
  for (let r = 0; r < rows; r++) if (got[r] === want[r]) exact++;
  if (trial >= 0) {
    counts.push(exact);
    const ids = greatest(want, top);
    if (String(ids) !== String(greatest(got, top)) || ids.some((id) => got[id] !== want[id])) wrong++;
    // How near the last of them came to being left out, in reaches.
    k[estimates](a.high, a.scales, ...head, cols, padded, ...end);
    const q = new Int8Array(memory.buffer, a.q, cols);
    const reach = (28 * Math.hypot(...q)) / f32(a.qScale, 1)[0];
    for (const id of ids) below = Math.min(below, (got[id] - want[id]) / (reach * f32(a.scales, rows)[id]));
  }
  if (trial % 8 === 0) {
    setTop(0);
    stages.estimates();
    stages.threshold();
    timed('refine all', stages.refine);
    if (trial >= 0 && f32(a.y, padded).some((v, r) => !Object.is(v, f32(a.want, padded)[r]))) wrong++;
  }
}

const median = (v) => v.sort((x, y) => x - y)[v.length >> 1];
console.log(
  headline({ ...machine(), variant, kernel, head: `${rows} x ${cols}`, weights: options.weights, top, trials }),
);
const ms = Object.fromEntries(Object.entries(times).map(([name, v]) => [name, median(v)]));
const line = (name, value, rest) => console.log(`${name.padEnd(12)}${value.toFixed(3).padStart(8)} ms  ${rest}`);
const half = (padded * cols) / 2;
const bytesRead = { int8: 2 * half, estimates: half, 'refine all': half };
for (const name in ms) {
  const rate = bytesRead[name] ? `, ${(bytesRead[name] / ms[name] / 1e6).toFixed(1)} GB/s` : '';
  line(name, ms[name], `best ${times[name][0].toFixed(3)}${rate}`);
}
const together = ms.estimates + ms.threshold + ms.refine;
line(`top ${top}`, together, `${(ms.int8 / together).toFixed(2)} times as fast as int8`);
const all = ms.estimates + ms['refine all'];
line('all rows', all, `${(ms.int8 / all).toFixed(2)} times as fast as int8`);
console.log(`rows exact: median ${median(counts)}, most ${counts[counts.length - 1]}, by chance included`);
console.log(`lowest estimate among the ${top}: ${below.toFixed(2)} reaches from its value`);
console.log(`trials with another answer than int8: ${wrong}`);
if (wrong > 0) process.exitCode = 1;
