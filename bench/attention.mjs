// Speed of attention over each type of cache, one thread: milliseconds for all layers of a token, or of a chunk.
//   node bench/attention.mjs [--variant relaxed] [--filter I8] [--shape 20/5/128x30] [--positions 128,1024,4096]
//     [--tokens 1] [--ms 1000] [--json]
// --shape: heads / kv heads / head dimension x layers. Kernels take turns. Times are the process's own time on a CPU, so
// that neighbours on a shared machine count only for the memory they use up; medians, and the best in brackets.
import { parseArgs } from 'node:util';
import { bestVariant, headline, kernelsOf, machine, memoryOf, modulesOf } from './build.mjs';

const MB = 2 ** 20;
const { values: options } = parseArgs({
  options: {
    variant: { type: 'string' },
    filter: { type: 'string', default: '' },
    shape: { type: 'string', default: '20/5/128x30' },
    positions: { type: 'string', default: '128,1024,4096' },
    tokens: { type: 'string', default: '1' },
    ms: { type: 'string', default: '1000' },
    json: { type: 'boolean', default: false },
  },
});
const variant = options.variant ?? bestVariant();
const [heads, kvHeads, headDim, layers] = options.shape.split(/[/x]/).map(Number);
const positions = options.positions.split(',').map(Number);
const tokens = Number(options.tokens);
const capacity = Math.max(...positions);
const dim = Math.ceil(headDim / 8) * 8;
const blocks = Math.ceil(capacity / 64) * 64;

/** Bytes of a layer's keys, or values. */
const bytes = {
  F32: 4 * kvHeads * capacity * headDim,
  F16: 2 * kvHeads * capacity * headDim,
  I8: kvHeads * blocks * (dim + 4),
  I4: kvHeads * blocks * (dim / 2 + 4),
};
const names = ['F32', 'F16', 'I8Dot', 'I8Wide', 'I4Dot', 'I4Wide'].filter(
  (n) => new RegExp(options.filter).test(n) && (variant.startsWith('relaxed') || !n.endsWith('Dot')),
);
const types = [...new Set(names.map((n) => n.replace(/Dot|Wide/, '')))];

const pages = Math.ceil((types.reduce((n, t) => n + 2 * layers * bytes[t], 0) + 64 * MB) / 65536) + tokens * 16;
const memory = memoryOf(variant, pages);
const kernels = kernelsOf(modulesOf(variant), memory);
let next = kernels.heapBase();
const region = (size) => {
  next = Math.ceil(next / 4096) * 4096;
  next += size;
  return next - size;
};
const stride = heads * headDim;
const [control, q, out] = [region(448), region(4 * tokens * stride), region(4 * tokens * stride)];
const [scratch, x] = [region(16 * MB), region(4 * capacity * kvHeads * headDim)];
const cache = Object.fromEntries(types.map((t) => [t, region(2 * layers * bytes[t])]));
const f32 = new Float32Array(memory.buffer);
const i32 = new Int32Array(memory.buffer);
const u8 = new Uint8Array(memory.buffer);
const POSITION = 48;
const KV_ADDRESS = 52;

let state = 1;
function uniform() {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return (state + 1) / 2 ** 32;
}
function normals(at, count) {
  for (let i = 0; i < count; i++)
    f32[at / 4 + i] = Math.sqrt(-2 * Math.log(uniform())) * Math.cos(2 * Math.PI * uniform());
}
normals(q, tokens * stride);

/** A layer of keys and values, written by the kernels; the others are copies. */
i32[(control + POSITION) / 4] = 0;
for (const values of [0, 1]) {
  normals(x, capacity * kvHeads * headDim);
  for (const t of types) {
    i32[(control + KV_ADDRESS) / 4] = cache[t];
    const args = [x, control, values * bytes[t], kvHeads, headDim, capacity, kvHeads * headDim];
    if (t.startsWith('I')) args.push(values);
    kernels[`cacheWrite${t}`](...args, 0, capacity, scratch);
  }
}
for (const t of types)
  for (let l = 1; l < layers; l++) u8.copyWithin(cache[t] + 2 * l * bytes[t], cache[t], cache[t] + 2 * bytes[t]);

const cpu = () => {
  const { user, system } = process.cpuUsage();
  return (user + system) / 1000;
};
function allLayers(name, count) {
  const type = name.replace(/Dot|Wide/, '');
  i32[(control + KV_ADDRESS) / 4] = cache[type];
  i32[(control + POSITION) / 4] = count - tokens;
  const shape = [heads, kvHeads, headDim, capacity, stride, stride, Math.fround(1 / Math.sqrt(headDim))];
  for (let l = 0; l < layers; l++) {
    const at = 2 * l * bytes[type];
    kernels[`attention${name}`](q, out, control, at, at + bytes[type], ...shape, 0, tokens * heads, scratch);
  }
}

const header = {
  ...machine(),
  variant,
  relaxedDot: kernels.relaxedDotProbe(),
  shape: options.shape,
  tokens,
};
console.log(headline(header));
const results = [];
for (const count of positions.filter((n) => n >= tokens)) {
  const times = new Map(names.map((n) => [n, []]));
  for (let i = 0; i < 2; i++) for (const n of names) allLayers(n, count);
  const end = performance.now() + Number(options.ms) * names.length;
  for (let i = 0; performance.now() < end || i < 5; i++)
    for (const n of names) {
      const start = cpu();
      allLayers(n, count);
      times.get(n).push(cpu() - start);
    }
  for (const [kernel, all] of times) {
    const sorted = all.sort((a, b) => a - b);
    const [ms, best] = [sorted[sorted.length >> 1], sorted[0]];
    const macs = layers * heads * headDim * tokens * (2 * count - tokens + 1);
    const type = kernel.replace(/Dot|Wide/, '');
    const result = { kernel, positions: count, ms, best, gmacs: macs / ms / 1e6 };
    results.push(result);
    console.log(
      `${kernel.padEnd(7)} ${String(count).padStart(6)} positions ${ms.toFixed(2).padStart(8)} ms (${best.toFixed(2)})  ` +
        `${result.gmacs.toFixed(1).padStart(6)} GMAC/s  cache ${((2 * layers * bytes[type] * count) / capacity / MB).toFixed(0)} MB`,
    );
  }
}
if (options.json) console.log(JSON.stringify({ ...header, results }));
