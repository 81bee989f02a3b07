// The gates, and through the second of them the engine's exponential for positive arguments.
import { describe, test } from 'vitest';
import { reluSquaredMul, siluMul } from '../ref/activation.ts';
import { Random } from '../ref/random.ts';
import { agree, EXP_TOLERANCE, sameBits, within } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

type Gate = 'reluSquaredMulF32' | 'siluMulF32';

/** gate [T, stride] after the call, over `bounds` of tokens. */
function run(
  v: Variant,
  kernel: Gate,
  gate: Float32Array<ArrayBuffer>,
  up: Float32Array<ArrayBuffer>,
  dim: number,
  bounds: number[],
) {
  const tokens = bounds[bounds.length - 1]!;
  const arena = v.arena();
  const g = arena.inout('gate', gate);
  const u = arena.input('up', up);
  for (let i = 1; i < bounds.length; i++)
    v.kernels[kernel](g, u, dim, gate.length / tokens, bounds[i - 1]!, bounds[i]!);
  arena.check();
  return arena.f32(g, gate.length);
}

forEachVariant((get) => {
  for (const dim of [4, 100, 6912])
    describe(`dim ${dim}`, () => {
      const tokens = 5;
      const stride = dim + 4;
      const gate = new Random(dim).f32(tokens * stride, 12);
      gate.set([0, -0, 1e-30, -1e-30]);
      const up = new Random(dim + 1).f32(tokens * stride, 3);
      /** What lies between the tokens stays. */
      const merge = (y: Float32Array) => gate.map((g, i) => (i % stride < dim ? y[i]! : g));

      test('reluSquaredMulF32', () => {
        const want = merge(reluSquaredMul(gate, up));
        for (const bounds of [
          [0, 5],
          [0, 2, 5],
        ])
          sameBits(run(get(), 'reluSquaredMulF32', gate, up, dim, bounds), want, `bounds ${bounds}`);
      });

      test('siluMulF32', () => {
        const got = run(get(), 'siluMulF32', gate, up, dim, [0, 5]);
        const exact = siluMul(gate, up);
        const want = exact.map((y, i) => (i % stride < dim ? y : gate[i]!));
        within(got, want, (i) => 2 * EXP_TOLERANCE * Math.abs(want[i]!), 'y');
        agree(`silu ${dim}`, got);
        sameBits(run(get(), 'siluMulF32', gate, up, dim, [0, 3, 5]), got, 'parts');
      });
    });

  test('e^x for x in (0, 88], recovered from silu(-x) = -x / (1 + e^x)', () => {
    const count = 88000;
    const x = Float32Array.from({ length: count }, (_, i) => (i + 1) / 1000);
    const ones = new Float32Array(count).fill(1);
    const silu = run(
      get(),
      'siluMulF32',
      x.map((v) => -v),
      ones,
      count,
      [0, 1],
    );
    const exp = Float64Array.from(silu, (s, i) => -x[i]! / s - 1);
    // Below e^x = 1 the quotient would lose digits; here it at most doubles a relative error.
    within(exp, Float64Array.from(x, Math.exp), (i) => 2 * EXP_TOLERANCE * Math.exp(x[i]!), 'exp');
    agree('exp', silu);
  });

  test('siluMulF32 of large arguments is finite: x, and almost 0', () => {
    const gate = Float32Array.of(100, 1e30, -100, -1e30);
    const y = run(get(), 'siluMulF32', gate, new Float32Array(4).fill(1), 4, [0, 1]);
    sameBits(y.subarray(0, 2), gate.subarray(0, 2), 'large');
    within(y.subarray(2), [0, 0], (i) => (i ? 1e-7 : 1e-35), 'small');
  });
});
