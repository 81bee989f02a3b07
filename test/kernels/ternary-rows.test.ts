// The ternary row kernels, bit for bit against the scalar reference: that makes them equal to one another, too.
import { describe, expect, test } from 'vitest';
import { sameBits } from './compare.ts';
import { describeShape, expected, ROW_KERNELS, runTernary, type Shape, ternaryCase } from './ternary-case.ts';
import { forEachVariant } from './variants.ts';

const shapes: Shape[] = [
  { rows: 32, cols: 32, blockCols: 32, tokens: 1 },
  { rows: 64, cols: 96, blockCols: 96, tokens: 3 },
  { rows: 96, cols: 96, blockCols: 32, tokens: 2 },
  { rows: 160, cols: 128, blockCols: 64, tokens: 16 },
  { rows: 64, cols: 160, blockCols: 160, tokens: 2 },
  { rows: 96, cols: 2560, blockCols: 2560, tokens: 4 },
  { rows: 64, cols: 2560, blockCols: 256, tokens: 5 },
  { rows: 64, cols: 2560, blockCols: 128, tokens: 1 },
  { rows: 64, cols: 6912, blockCols: 6912, tokens: 1 },
  { rows: 32, cols: 6912, blockCols: 128, tokens: 16 },
  { rows: 32, cols: 8640, blockCols: 64, tokens: 3 },
  { rows: 64, cols: 8640, blockCols: 8640, tokens: 7 },
  { rows: 32, cols: 160, blockCols: 160, tokens: 7 },
  { rows: 1120, cols: 128, blockCols: 128, tokens: 2 },
];
const worst: Shape[] = [-127, 127].flatMap((activation) =>
  [-1, 1].flatMap((weight) => [
    { rows: 32, cols: 6912, blockCols: 6912, tokens: 7, weight, activation },
    { rows: 32, cols: 6912, blockCols: 256, tokens: 1, weight, activation },
  ]),
);
const zeros: Shape[] = [0, -0].flatMap((scale) => [
  { rows: 32, cols: 128, blockCols: 128, tokens: 2, scale },
  { rows: 32, cols: 128, blockCols: 64, tokens: 2, scale },
]);

forEachVariant((get, name) => {
  for (const kernel of ROW_KERNELS) {
    if (name.startsWith('simd') && kernel !== 'matmulTernaryWide') {
      test(`${kernel} traps in a build without relaxed SIMD`, () => {
        const v = get();
        const c = ternaryCase(shapes[0]!);
        expect(() => runTernary(v, v.arena(), kernel, c)).toThrow(WebAssembly.RuntimeError);
      });
      continue;
    }
    describe(kernel, () => {
      for (const shape of [...shapes, ...worst, ...zeros])
        test(`${describeShape(shape)}, add 0 and 1`, () => {
          const c = ternaryCase(shape);
          for (const add of [0, 1] as const)
            sameBits(runTernary(get(), get().arena(), kernel, c, { add }), expected(c, add), `add ${add}`);
        });

      test('1 to 16 tokens, and ranges that do not begin at 0', () => {
        const c = ternaryCase({ rows: 64, cols: 256, blockCols: 128, tokens: 20 });
        for (let count = 1; count <= 16; count++) {
          const range = [20 - count, 20] as const;
          const y = runTernary(get(), get().arena(), kernel, c, { range });
          sameBits(y, expected(c, 0, ...range), `tokens ${range}`);
          sameBits(
            runTernary(get(), get().arena(), kernel, c, { range: [3, 3 + count], add: 1 }),
            expected(c, 1, 3, 3 + count),
            `tokens 3 + ${count}`,
          );
        }
      });

      test('no tokens', () => {
        const c = ternaryCase({ rows: 32, cols: 64, blockCols: 64, tokens: 4 });
        sameBits(runTernary(get(), get().arena(), kernel, c, { range: [2, 2] }), c.before, 'y');
      });

      test('row ranges together give the whole', () => {
        const c = ternaryCase({ rows: 160, cols: 512, blockCols: 64, tokens: 5 });
        for (const bounds of [
          [0, 96, 160],
          [0, 32, 64, 96, 128, 160],
        ])
          sameBits(runTernary(get(), get().arena(), kernel, c, { bounds }), expected(c, 0), `bounds ${bounds}`);
        const half = runTernary(get(), get().arena(), kernel, c, { bounds: [64, 96] });
        const want = c.before.slice();
        for (let t = 0; t < 5; t++) want.set(c.y[0].subarray(t * 160 + 64, t * 160 + 96), t * 160 + 64);
        sameBits(half, want, 'rows 64 .. 96 alone');
      });
    });
  }
});
