// The int8 head: packing H16 and its two kernels, bit for bit.
import { describe, expect, test } from 'vitest';
import { matmulInt8Rows } from '../ref/matmul.ts';
import { packH16 } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';
import { once, sameBits } from './compare.ts';
import { rowScratchBytes } from './ternary-case.ts';
import { forEachVariant, type Variant } from './variants.ts';

const KERNELS = ['matmulI8RowDot', 'matmulI8RowWide'] as const;

interface Shape {
  rows: number;
  cols: number;
  tokens: number;
  /** All weights and all activations, instead of random ones. */
  weight?: number;
  activation?: number;
}

const shapes: Shape[] = [
  { rows: 32, cols: 32, tokens: 1 },
  { rows: 64, cols: 96, tokens: 16 },
  { rows: 96, cols: 2560, tokens: 3 },
  { rows: 32, cols: 6912, tokens: 2 },
  { rows: 32, cols: 8640, tokens: 1 },
  ...[-127, 127].flatMap((activation) =>
    [-128, -127, 127].map((weight) => ({ rows: 32, cols: 6912, tokens: 3, weight, activation })),
  ),
];

const name = (s: Shape) =>
  `${s.rows} x ${s.cols}, ${s.tokens} tokens${s.weight === undefined ? '' : `, ${s.weight} x ${s.activation}`}`;

function makeCase(s: Shape) {
  return once(`int8 ${name(s)}`, () => {
    const random = new Random(s.rows + s.cols + s.tokens);
    const weights = random.int8(s.rows * s.cols);
    weights[0] = -128;
    const q = random.int8(s.tokens * s.cols);
    if (s.weight !== undefined) weights.fill(s.weight);
    if (s.activation !== undefined) q.fill(s.activation);
    const scales = random.scales(s.rows, 0.01);
    scales[3] = 0;
    const qScale = random.scales(s.tokens, 20);
    return { ...s, weights, scales, q, qScale, y: matmulInt8Rows(weights, scales, s.cols, q, qScale) };
  });
}

function run(
  v: Variant,
  kernel: (typeof KERNELS)[number],
  c: ReturnType<typeof makeCase>,
  range: readonly [number, number] = [0, c.tokens],
  bounds: readonly number[] = [0, c.rows],
) {
  const arena = v.arena();
  const w = arena.input('w', packH16(c.weights, c.rows, c.cols));
  const scales = arena.input('scales', c.scales);
  const q = arena.input('q', c.q);
  const qScale = arena.input('qScale', c.qScale);
  const y = arena.inout('y', new Float32Array(c.tokens * c.rows).fill(0.5));
  const tokens = arena.range(...range);
  const scratch = arena.region('scratch', rowScratchBytes(kernel, c.cols, 1));
  for (let i = 1; i < bounds.length; i++)
    v.kernels[kernel](w, scales, q, qScale, y, c.cols, c.rows, tokens, bounds[i - 1]!, bounds[i]!, scratch);
  arena.check();
  return arena.f32(y, c.tokens * c.rows);
}

forEachVariant((get, variant) => {
  for (const kernel of KERNELS) {
    if (variant.startsWith('simd') && kernel === 'matmulI8RowDot') {
      test(`${kernel} traps in a build without relaxed SIMD`, () => {
        expect(() => run(get(), kernel, makeCase(shapes[0]!))).toThrow(WebAssembly.RuntimeError);
      });
      continue;
    }
    describe(kernel, () => {
      for (const shape of shapes)
        test(name(shape), () => {
          const c = makeCase(shape);
          sameBits(run(get(), kernel, c), c.y, 'y');
        });

      test('1 to 16 tokens, ranges of tokens and of rows', () => {
        const c = makeCase({ rows: 128, cols: 160, tokens: 19 });
        for (let count = 1; count <= 16; count++) {
          const want = new Float32Array(c.tokens * c.rows).fill(0.5);
          want.set(c.y.subarray(2 * c.rows, (2 + count) * c.rows), 2 * c.rows);
          sameBits(run(get(), kernel, c, [2, 2 + count], [0, 32, 96, 128]), want, `${count} tokens`);
        }
      });
    });
  }
});
