// Activations as digits, and ternary and binary matrices times them: every kernel bit for bit against the reference.
import { describe, expect, test } from 'vitest';
import { DIGIT_TABLES_BYTES, ROW_SUMS_BYTES, ROW_TOKENS, TILE_INDEX_BYTES, TILE_ROWS } from '../../assembly/layout.ts';
import { type Digits, matmulDigits, matmulSigns, toDigits } from '../ref/digits.ts';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { addTo } from '../ref/matmul.ts';
import { rmsNorm } from '../ref/norm.ts';
import { packB32, packScales, packV32 } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';
import { once, sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const T = 5;
const EPS = 1e-6;
const sizes = [1, 300, 1e-3, 1e-9, 0];

interface Shape {
  family: 'Ternary' | 'Binary';
  rows: number;
  cols: number;
  /** Of the activations; the matrix has scales for wBlockCols. */
  blockCols: number;
  wBlockCols: number;
  tokens: number;
  count?: 1 | 2 | 3;
  /** Values instead of random ones: all weights, all digits. */
  weight?: number;
  digit?: number;
}

const shapes: Shape[] = (['Ternary', 'Binary'] as const).flatMap((family) => [
  { family, rows: 32, cols: 32, blockCols: 32, wBlockCols: 32, tokens: 1 },
  { family, rows: 96, cols: 256, blockCols: 64, wBlockCols: 64, tokens: 16 },
  { family, rows: 160, cols: 640, blockCols: 128, wBlockCols: 128, tokens: 35 },
  { family, rows: 64, cols: 1024, blockCols: 128, wBlockCols: 256, tokens: 3 },
  { family, rows: 64, cols: 6912, blockCols: 128, wBlockCols: 6912, tokens: 2 },
  { family, rows: 2144, cols: 128, blockCols: 128, wBlockCols: 128, tokens: 17 },
  { family, rows: 64, cols: 512, blockCols: 256, wBlockCols: 256, tokens: 18 },
  { family, rows: 96, cols: 256, blockCols: 128, wBlockCols: 128, tokens: 17, count: 1 },
  { family, rows: 96, cols: 256, blockCols: 128, wBlockCols: 128, tokens: 16, count: 1 },
  { family, rows: 96, cols: 640, blockCols: 128, wBlockCols: 128, tokens: 19, count: 3 },
  { family, rows: 96, cols: 640, blockCols: 64, wBlockCols: 128, tokens: 5, count: 3 },
  { family, rows: 32, cols: 512, blockCols: 256, wBlockCols: 256, tokens: 16, count: 3, weight: -1, digit: 127 },
  { family, rows: 32, cols: 512, blockCols: 256, wBlockCols: 256, tokens: 16, count: 3, weight: 1, digit: 127 },
  { family, rows: 32, cols: 512, blockCols: 256, wBlockCols: 256, tokens: 16, weight: 1, digit: 127 },
  { family, rows: 32, cols: 512, blockCols: 256, wBlockCols: 256, tokens: 16, weight: -1, digit: 127 },
  { family, rows: 32, cols: 512, blockCols: 256, wBlockCols: 256, tokens: 16, weight: -1, digit: -127 },
]);

const describeShape = (s: Shape) =>
  `${s.rows} x ${s.cols}, blocks of ${s.blockCols} and ${s.wBlockCols}, ${s.tokens} tokens, ${s.count ?? 2} digits` +
  (s.weight === undefined ? '' : `, weights ${s.weight}, digits ${s.digit}`);

function caseOf(s: Shape) {
  return once(`digits ${s.family} ${describeShape(s)}`, () => {
    const random = new Random(s.rows * 31 + s.cols * 7 + s.tokens);
    const weights = random.weights(s.rows * s.cols);
    if (s.family === 'Binary')
      weights.forEach((w, i) => {
        if (w === 0) weights[i] = i % 3 === 0 ? 1 : -1;
      });
    if (s.weight !== undefined) weights.fill(s.weight);
    const scales = random.scales((s.rows * s.cols) / s.wBlockCols, 0.02).map((v) => f16ToF64(f64ToF16(v)));
    const digits: Digits = {
      q: Array.from({ length: s.count ?? 2 }, () => random.int8(s.tokens * s.cols)),
      scales: random.scales((s.tokens * s.cols) / s.blockCols, 1e-4),
    };
    if (s.digit !== undefined) for (const q of digits.q) q.fill(s.digit);
    const matrix = { rows: s.rows, cols: s.cols, blockCols: s.wBlockCols, weights, scales };
    const y = matmulDigits(matrix, digits, s.blockCols);
    const before = random.f32(s.tokens * s.rows);
    return { matrix, digits, before, y: [y, addTo(before, y)] as const };
  });
}

type Form = 'Dot' | 'Wide' | 'Tiled';

/** y [tokens, rows] after the kernel ran over the rows between bounds. */
function run(v: Variant, form: Form, s: Shape, add: 0 | 1, bounds: readonly number[]): Float32Array {
  const { matrix, digits, before } = caseOf(s);
  const { rows, cols, blockCols, wBlockCols, tokens, count = 2 } = s;
  const tiles = Math.ceil(tokens / 16);
  const padded = form === 'Tiled' ? tiles * 16 : tokens;
  const arena = v.arena();
  const packed = s.family === 'Ternary' ? packV32(matrix.weights, rows, cols) : packB32(matrix.weights, rows, cols);
  const w = arena.input('w', packed);
  const grouped = packScales(matrix.scales, rows, cols / wBlockCols);
  const scales = arena.input('scales', s.family === 'Ternary' ? grouped : Uint16Array.from(grouped, f64ToF16));
  // Tokens that only fill up the last tile: any activations.
  const planeBytes = padded * cols;
  const planes = new Int8Array(count * planeBytes).fill(55);
  digits.q.forEach((q, d) => {
    planes.set(q, d * planeBytes);
  });
  let q = arena.input('q', planes);
  const allScales = new Float32Array((padded * cols) / blockCols).fill(1);
  allScales.set(digits.scales);
  const aScales = arena.input('aScales', allScales);
  const start = new Float32Array(padded * rows);
  start.set(before);
  const y = arena.inout('y', start);
  const range = arena.range(0, form === 'Tiled' ? tiles : tokens);
  let scratchBytes = ROW_SUMS_BYTES + (4 * ROW_TOKENS * cols) / blockCols;
  if (form === 'Wide') scratchBytes += 4 * ROW_TOKENS * cols;
  let qBytes = planeBytes;
  if (form === 'Tiled') {
    scratchBytes = DIGIT_TABLES_BYTES + TILE_INDEX_BYTES + (4 + 32 * count + 64 * tiles) * TILE_ROWS;
    qBytes = 2 * planeBytes;
    const at = arena.region('at', count * qBytes);
    for (let d = 0; d < count; d++) v.kernels.tileI16(q + d * planeBytes, at + d * qBytes, cols, 0, tiles);
    q = at;
  }
  const scratch = arena.region('scratch', scratchBytes);
  const kernel = v.kernels[`matmul${s.family}Digits${form}`];
  for (let i = 1; i < bounds.length; i++)
    kernel(
      ...([w, scales, q, qBytes, aScales, y, cols, blockCols, wBlockCols, count] as const),
      ...([rows, add, range, bounds[i - 1]!, bounds[i]!, scratch] as const),
    );
  arena.check();
  return arena.f32(y, tokens * rows);
}

forEachVariant((get, name) => {
  for (const dim of [4, 32, 100, 128, 2560])
    for (const blockCols of [32, 64, 128])
      for (const count of [1, 2, 3])
        test(`quantizeDigits and rmsNormQuantizeDigits, ${dim} in blocks of ${blockCols}, ${count} digits`, () => {
          const cols = Math.ceil(dim / blockCols) * blockCols;
          const stride = dim + 8;
          const random = new Random(dim + blockCols);
          const x = new Float32Array(T * stride).fill(1e30);
          sizes.forEach((size, t) => {
            x.set(random.f32(dim, size), t * stride);
          });
          const norm = random.f32(dim, 2);
          const rows = sizes.map((_, t) => x.subarray(t * stride, t * stride + dim));
          for (const normed of [false, true]) {
            const arena = get().arena();
            const from = arena.input('x', x);
            const w = arena.input('w', norm);
            const q = arena.region('q', count * T * cols);
            const scales = arena.region('scales', (4 * T * cols) / blockCols);
            const scratch = arena.region('scratch', 4 * dim);
            for (const [begin, end] of [
              [0, 2],
              [2, T],
            ] as const) {
              const { quantizeDigits, rmsNormQuantizeDigits } = get().kernels;
              const shape = [dim, stride, cols, blockCols, count] as const;
              if (normed) rmsNormQuantizeDigits(from, w, q, T * cols, scales, ...shape, EPS, begin, end, scratch);
              else quantizeDigits(from, q, T * cols, scales, ...shape, begin, end);
            }
            arena.check();
            const want = toDigits(normed ? rows.map((r) => rmsNorm(r, norm, EPS)) : rows, cols, blockCols, count);
            want.q.forEach((digit, d) => {
              sameBits(arena.i8(q + d * T * cols, T * cols), digit, `digit ${d}`);
            });
            sameBits(arena.f32(scales, (T * cols) / blockCols), want.scales, 'scales');
          }
        });

  for (const [count, error] of [
    [2, 1.6e-5],
    [3, 2.5e-7],
  ] as const)
    test(`${count} digits are within ${error} of the largest of their block`, () => {
      const x = new Random(3).f32(2560);
      const { q, scales } = toDigits([x], 2560, 128, count);
      for (let b = 0; b < 20; b++) {
        const block = x.subarray(b * 128, (b + 1) * 128);
        const most = Math.max(...block.map(Math.abs));
        block.forEach((v, i) => {
          const whole = q.reduce((n, digit) => n * 255 + digit[b * 128 + i]!, 0);
          expect(Math.abs(whole * scales[b]! - v)).toBeLessThanOrEqual(error * most);
        });
      }
    });

  for (const form of ['Dot', 'Wide', 'Tiled'] as const)
    for (const shape of shapes) {
      const kernel = `matmul${shape.family}Digits${form}`;
      if (form === 'Dot' && name.startsWith('simd')) {
        test(`${kernel} traps in a build without relaxed SIMD, ${describeShape(shape)}`, () => {
          expect(() => run(get(), form, shape, 0, [0, shape.rows])).toThrow(WebAssembly.RuntimeError);
        });
        continue;
      }
      if (form !== 'Tiled' && shape.tokens > ROW_TOKENS) continue;
      test(`${kernel}, ${describeShape(shape)}`, () => {
        const { y } = caseOf(shape);
        for (const add of [0, 1] as const)
          sameBits(run(get(), form, shape, add, [0, shape.rows]), y[add], `add ${add}`);
        sameBits(run(get(), form, shape, 0, [0, 32, shape.rows]), y[0], 'in two parts');
      });
    }

  describe('matmulBinaryBinary', () => {
    for (const cols of [128, 256, 4096, 6912])
      test(`${cols} columns`, () => {
        const rows = 7;
        const random = new Random(cols);
        const signs = (count: number) => Int8Array.from({ length: count }, () => (random.next() < 0.5 ? -1 : 1));
        const bits = (s: Int8Array) => {
          const out = new Uint8Array(s.length / 8);
          s.forEach((v, i) => {
            if (v > 0) out[i >> 3] = out[i >> 3]! | (1 << (i & 7));
          });
          return out;
        };
        for (const [weights, x] of [
          [signs(rows * cols), signs(cols)],
          [new Int8Array(rows * cols).fill(1), new Int8Array(cols).fill(-1)],
        ] as const) {
          const scales = random.scales(rows);
          const arena = get().arena();
          const args = [
            arena.input('w', bits(weights)),
            arena.input('scales', scales),
            arena.input('x', bits(x)),
          ] as const;
          const y = arena.region('y', rows * 4);
          for (const [begin, end] of [
            [0, 3],
            [3, rows],
          ] as const)
            get().kernels.matmulBinaryBinary(...args, y, cols, 0.75, begin, end);
          arena.check();
          sameBits(arena.f32(y, rows), matmulSigns(weights, scales, x, 0.75), 'y');
        }
      });
  });
});
