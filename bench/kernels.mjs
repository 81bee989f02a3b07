// Speed of the matrix kernels, one thread: billions of multiply-adds a second, from cache and from memory.
//   node bench/kernels.mjs [--variant relaxed] [--filter Tiled] [--shape 2560x6912] [--tokens 1,4] [--from cache,memory]
//     [--ms 400] [--against build2] [--json]
// --tokens: how many at once for the row kernels of ternary and int8 matrices.
// --against: a folder with another build of the same variant, measured in turns with this one; prints the ratio.
import { parseArgs } from 'node:util';
import { bestVariant, headline, kernelsOf, machine, memoryOf, modulesOf } from './build.mjs';

const MB = 1 << 20;
/** Weights that are walked through in turn: far more than any cache holds. */
const WEIGHTS_MB = 448;
const PAGES = (WEIGHTS_MB + 128) * 16;

const { values: options } = parseArgs({
  options: {
    variant: { type: 'string' },
    filter: { type: 'string', default: '' },
    shape: { type: 'string', default: '2560x6912' },
    tokens: { type: 'string', default: '1,4' },
    from: { type: 'string', default: 'cache,memory' },
    ms: { type: 'string', default: '400' },
    against: { type: 'string' },
    json: { type: 'boolean', default: false },
  },
});
const [cols, rows] = options.shape.split('x').map(Number);
const variant = options.variant ?? bestVariant();

/** A memory of seeded bytes: speed does not depend on the values. */
function seededMemory() {
  const memory = memoryOf(variant, PAGES);
  const words = new Uint32Array(memory.buffer);
  let state = 1;
  for (let i = 0; i < words.length; i++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    // Codes 0, 1, 2 in all fields: a field of 3 becomes 2.
    words[i] = state & ~(state & (state >>> 1) & 0x55555555);
  }
  return memory;
}

function instantiate(modules, memory) {
  const kernels = kernelsOf(modules, memory);
  return { memory, kernels, base: Math.ceil(kernels.heapBase() / 64) * 64 };
}

/** Addresses of one call's regions, weights last. A matrix takes `matrixBytes`; `copies` of them follow one another. */
function place({ memory, base }, matrixBytes, tokens) {
  let next = base;
  const region = (bytes) => {
    const at = next;
    next += Math.ceil(bytes / 4096) * 4096;
    return at;
  };
  const a = {
    range: region(64),
    scales: region(4 * rows),
    q: region(3 * tokens * cols),
    at: region(6 * tokens * cols),
    blockScales: region((rows * cols) / 32),
    digitScales: region((tokens * cols) / 8),
    qScale: region(4 * tokens),
    y: region(4 * tokens * rows),
    scratch: region(24 * MB),
  };
  new Float32Array(memory.buffer, a.scales, rows).fill(0.01);
  new Float32Array(memory.buffer, a.digitScales, (tokens * cols) / 32).fill(0.01);
  new Uint16Array(memory.buffer, a.blockScales, (rows * cols) / 64).fill(0x2400);
  new Float32Array(memory.buffer, a.qScale, tokens).fill(20);
  a.w = next;
  a.stride = Math.ceil(matrixBytes / 4096) * 4096;
  a.copies = Math.floor((WEIGHTS_MB * MB) / a.stride);
  return a;
}

const rowKernel = (name, tokens) => ({
  name,
  tokens,
  bytes: (rows * cols) / 4,
  call: (k, a, w) => k[name](w, a.scales, a.q, a.qScale, a.y, cols, cols, rows, 0, a.range, 0, rows, a.scratch),
});
const headKernel = (name, tokens) => ({
  name,
  tokens,
  bytes: rows * cols,
  call: (k, a, w) => k[name](w, a.scales, a.q, a.qScale, a.y, cols, rows, a.range, 0, rows, a.scratch),
});
const tiled = (tokens) => ({
  name: 'matmulTernaryTiled',
  tokens,
  bytes: (rows * cols) / 4,
  call(k, a, w) {
    k.tileI16(a.q, a.at, cols, 0, tokens / 16);
    k.matmulTernaryTiled(w, a.scales, a.at, a.qScale, a.y, cols, cols, rows, 0, a.range, 0, rows, a.scratch);
  },
});
// Two digits of activations, blocks of 128 columns; binary scales are f16 per block, ternary ones f32 per row.
const digitArgs = (a, w, digits, at, plane, scales, wBlock) => [
  ...[w, scales, at, plane, a.digitScales, a.y, cols, 128, wBlock, digits, rows, 0, a.range, 0, rows, a.scratch],
];
const digitKernel = (name, digits = 2) => ({
  name,
  tokens: 1,
  bytes: name.includes('Binary') ? (rows * cols) / 8 : (rows * cols) / 4,
  label: `${name}, ${digits} digits`,
  call(k, a, w) {
    const binary = name.includes('Binary');
    k[name](...digitArgs(a, w, digits, a.q, cols, binary ? a.blockScales : a.scales, binary ? 128 : cols));
  },
});
const digitTiled = (name, tokens, digits = 2) => ({
  ...digitKernel(name, digits),
  tokens,
  call(k, a, w) {
    const binary = name.includes('Binary');
    for (let d = 0; d < digits; d++)
      k.tileI16(a.q + d * tokens * cols, a.at + 2 * d * tokens * cols, cols, 0, tokens / 16);
    k[name](
      ...digitArgs(a, w, digits, a.at, 2 * tokens * cols, binary ? a.blockScales : a.scales, binary ? 128 : cols),
    );
  },
});
const counts = options.tokens.split(',').map(Number);
const relaxedOnly = /Dot|Paired|I16/;
const cases = [
  ...counts.map((tokens) => rowKernel('matmulTernaryDot', tokens)),
  rowKernel('matmulTernaryPaired', 1),
  ...counts.map((tokens) => rowKernel('matmulTernaryI16', tokens)),
  ...counts.map((tokens) => rowKernel('matmulTernaryWide', tokens)),
  ...counts.map((tokens) => headKernel('matmulI8RowDot', tokens)),
  ...counts.map((tokens) => headKernel('matmulI8RowWide', tokens)),
  tiled(16),
  tiled(64),
  tiled(128),
  digitKernel('matmulTernaryDigitsDot'),
  digitKernel('matmulTernaryDigitsDot', 3),
  digitKernel('matmulTernaryDigitsWide'),
  digitKernel('matmulBinaryDigitsDot'),
  digitKernel('matmulBinaryDigitsDot', 1),
  digitKernel('matmulBinaryDigitsWide'),
  digitTiled('matmulTernaryDigitsTiled', 128),
  digitTiled('matmulBinaryDigitsTiled', 128),
  digitTiled('matmulBinaryDigitsTiled', 128, 1),
  {
    name: 'matmulBinaryBinary',
    tokens: 1,
    bytes: (rows * cols) / 8,
    call: (k, a, w) => k.matmulBinaryBinary(w, a.scales, a.q, a.y, cols, 0.5, 0, rows),
  },
].filter(
  (c) => new RegExp(options.filter).test(c.name) && (variant.startsWith('relaxed') || !relaxedOnly.test(c.name)),
);

/** Times of each function's calls in ms, taken in turns so that a noisy moment hits all of them. */
function measure(functions, ms) {
  const times = functions.map(() => []);
  // The optimising compiler may take over only after some calls.
  const warm = performance.now() + ms / 2;
  while (performance.now() < warm) for (const f of functions) f(0);
  const end = performance.now() + ms * functions.length;
  for (let i = 1; performance.now() < end || i < 8; i++)
    functions.forEach((f, j) => {
      const start = performance.now();
      f(i);
      times[j].push(performance.now() - start);
    });
  return times.map((t) => t.sort((a, b) => a - b));
}

const modules = [undefined, ...(options.against ? [options.against] : [])].map((f) => modulesOf(variant, f));
const memories = modules.map(seededMemory);
const header = {
  ...machine(),
  variant,
  relaxedDot: instantiate(modules[0], memories[0]).kernels.relaxedDotProbe(),
  cols,
  rows,
};
console.log(headline(header));

/** Sorted times of each build. Where memories lie changes speed by a fifth, so two builds swap theirs for a second round. */
function rounds(c, where) {
  return modules.map((_, round) => {
    const builds = modules.map((module, i) => instantiate(module, memories[(i + round) % modules.length]));
    const calls = builds.map((build) => {
      const a = place(build, c.bytes, c.tokens);
      const end = c.name.endsWith('Tiled') ? c.tokens / 16 : c.tokens;
      new Int32Array(build.memory.buffer, a.range, 2).set([0, end]);
      return (i) => c.call(build.kernels, a, a.w + (where === 'memory' ? (i % a.copies) * a.stride : 0));
    });
    return measure(calls, Number(options.ms));
  });
}

const results = [];
for (const c of cases)
  for (const where of options.from.split(',')) {
    const times = rounds(c, where);
    const rate = (t) => (rows * cols * c.tokens) / t / 1e6;
    const [median, other] = modules.map(
      (_, i) => times.reduce((sum, round) => sum + rate(round[i][round[i].length >> 1]), 0) / times.length,
    );
    const own = times[0][0];
    const result = {
      kernel: c.label ?? c.name,
      tokens: c.tokens,
      from: where,
      gmacs: median,
      best: rate(own[0]),
      spread: own[(own.length * 3) >> 2] / own[own.length >> 2] - 1,
      gbs: (c.bytes * median) / rows / cols / c.tokens,
      ...(other && { against: other, ratio: median / other }),
    };
    results.push(result);
    const ratio = other ? `   against ${other.toFixed(1)}: ${(median / other).toFixed(3)}` : '';
    console.log(
      `${(c.label ?? c.name).padEnd(35)} ${String(c.tokens).padStart(3)} tokens ${where.padEnd(6)} ${median.toFixed(1).padStart(6)} GMAC/s` +
        `  best ${result.best.toFixed(1)}  spread ${(result.spread * 100).toFixed(0)} %  ${result.gbs.toFixed(1)} GB/s${ratio}`,
    );
  }
if (options.json) console.log(JSON.stringify({ ...header, results }));
