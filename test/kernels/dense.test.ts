// Dense products as the file stores them, within a rounding error of the sum of magnitudes; the same bits in every build.
import { describe, test } from 'vitest';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { addTo, matmulDense } from '../ref/matmul.ts';
import { Random } from '../ref/random.ts';
import type { Arena } from './arena.ts';
import { agree, once, SUM_TOLERANCE, sameBits, within } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

interface Shape {
  rows: number;
  cols: number;
  tokens: number;
}

/** (y, x, range, add, begin, end) with everything else bound. */
type Call = (
  v: Variant,
  x: number,
  y: number,
  s: Strides,
  add: number,
  range: number,
  begin: number,
  end: number,
) => void;
interface Strides {
  x: number;
  y: number;
}

interface Form {
  name: string;
  shapes: Shape[];
  make(s: Shape): { values: Float64Array; put(arena: Arena): Call };
}

const shapes: Shape[] = [
  { rows: 1, cols: 4, tokens: 1 },
  { rows: 7, cols: 100, tokens: 5 },
  { rows: 33, cols: 96, tokens: 16 },
  { rows: 5, cols: 2560, tokens: 3 },
  { rows: 3, cols: 6912, tokens: 1 },
  { rows: 3, cols: 8640, tokens: 2 },
];

const forms: Form[] = [
  {
    name: 'matmulF32',
    shapes,
    make({ rows, cols }) {
      const w = new Random(rows + cols).f32(rows * cols);
      return {
        values: Float64Array.from(w),
        put(arena) {
          const at = arena.input('w', w);
          return (v, x, y, s, add, range, begin, end) =>
            v.kernels.matmulF32(at, x, y, cols, s.x, s.y, add, range, begin, end);
        },
      };
    },
  },
  {
    name: 'matmulF16',
    shapes,
    make({ rows, cols }) {
      const w = Uint16Array.from(new Random(rows + cols).f32(rows * cols), f64ToF16);
      return {
        values: Float64Array.from(w, f16ToF64),
        put(arena) {
          const at = arena.input('w', w);
          const scratch = arena.region('scratch', 4 * cols);
          return (v, x, y, s, add, range, begin, end) =>
            v.kernels.matmulF16(at, x, y, cols, s.x, s.y, add, range, begin, end, scratch);
        },
      };
    },
  },
  ...[16, 32].map((blockCols) => ({
    name: `matmulI8Block, blocks of ${blockCols}`,
    shapes: shapes.filter((s) => s.cols % blockCols === 0),
    make({ rows, cols }: Shape) {
      const random = new Random(rows + cols);
      const w = random.int8(rows * cols).fill(-128, 0, 4);
      const scales = random.scales((rows * cols) / blockCols, 0.02);
      return {
        values: Float64Array.from(w, (code, i) => code * scales[Math.floor(i / blockCols)]!),
        put(arena: Arena): Call {
          const at = arena.input('w', w);
          const scale = arena.input('scales', scales);
          return (v, x, y, s, add, range, begin, end) =>
            v.kernels.matmulI8Block(at, scale, x, y, cols, blockCols, s.x, s.y, add, range, begin, end);
        },
      };
    },
  })),
];

forEachVariant((get) => {
  for (const form of forms)
    describe(form.name, () => {
      for (const shape of form.shapes) {
        const { rows, cols, tokens } = shape;
        const key = `${form.name} ${rows} x ${cols}, ${tokens} tokens`;
        test(key, () => {
          const strides = { x: cols + 4, y: rows + 3 };
          const c = once(key, () => {
            const made = form.make(shape);
            const x = new Random(cols).f32(tokens * strides.x);
            const dense = x.filter((_, i) => i % strides.x < cols);
            return { ...made, x, ...matmulDense(made.values, rows, cols, dense, tokens) };
          });
          const before = new Random(9).f32(tokens * strides.y);
          const run = (range: [number, number], bounds: number[], add: number) => {
            const arena = get().arena();
            const call = c.put(arena);
            const x = arena.input('x', c.x);
            const y = arena.inout('y', before);
            const r = arena.range(...range);
            for (let i = 1; i < bounds.length; i++) call(get(), x, y, strides, add, r, bounds[i - 1]!, bounds[i]!);
            arena.check();
            return arena.f32(y, tokens * strides.y);
          };
          const whole = run([0, tokens], [0, rows], 0);
          agree(key, whole);
          for (let t = 0; t < tokens; t++) {
            const got = whole.subarray(t * strides.y, t * strides.y + rows);
            const allowed = (r: number) => SUM_TOLERANCE * c.magnitude[t * rows + r]!;
            within(got, c.y.subarray(t * rows, (t + 1) * rows), allowed, `token ${t}`);
            sameBits(
              whole.subarray(t * strides.y + rows, (t + 1) * strides.y),
              before.subarray(t * strides.y + rows, (t + 1) * strides.y),
              'between the rows of y',
            );
          }
          const middle = rows >> 1;
          sameBits(run([0, tokens], [0, middle, rows], 0), whole, 'row ranges');
          const added = run([0, tokens], [0, rows], 1);
          const sum = addTo(before, whole);
          for (let t = 0; t < tokens; t++) {
            const [a, b] = [t * strides.y, t * strides.y + rows];
            sameBits(added.subarray(a, b), sum.subarray(a, b), 'add 1');
          }
          const last = run([tokens - 1, tokens], [0, rows], 0);
          const want = before.slice();
          want.set(whole.subarray((tokens - 1) * strides.y, (tokens - 1) * strides.y + rows), (tokens - 1) * strides.y);
          sameBits(last, want, 'the last token alone');
        });
      }
    });
});
