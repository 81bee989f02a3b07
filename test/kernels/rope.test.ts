// Rotary embedding: the angles against the platform's cos and sin, the turns bit for bit.
import { describe, expect, test } from 'vitest';
import { POSITION } from '../../assembly/layout.ts';
import { Random } from '../ref/random.ts';
import { ropeTable, turn } from '../ref/rope.ts';
import { ANGLE_TOLERANCE, agree, sameBits, within } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const HEAD_DIMS = [8, 40, 48, 64, 80, 96, 100, 128, 256];
const frequencies = (half: number, theta: number) =>
  Float64Array.from({ length: half }, (_, j) => theta ** (-j / half));

/** table [count, 2, half] from `position` on, made in calls over `bounds`. */
function angles(
  v: Variant,
  freqs: Float64Array<ArrayBuffer>,
  position: number,
  bounds: number[],
  scale = 1,
  divided?: Float32Array<ArrayBuffer>,
) {
  const half = freqs.length;
  const count = bounds[bounds.length - 1]!;
  const arena = v.arena();
  const f = arena.input('freqs', freqs);
  const divisors = divided ? arena.input('divisors', divided) : 0;
  const table = arena.region('table', count * half * 8);
  const control = arena.region('control', 64);
  arena.setI32(control + POSITION, position);
  for (let i = 1; i < bounds.length; i++)
    v.kernels.ropeAngles(f, divisors, table, control, half, scale, bounds[i - 1]!, bounds[i]!);
  arena.check();
  return arena.f32(table, count * half * 2);
}

const exact = (x: number) => () => ANGLE_TOLERANCE * x;

forEachVariant((get) => {
  describe('ropeAngles', () => {
    test('positions up to 131072, at every frequency of three models', () => {
      for (const [half, theta] of [
        [64, 10000],
        [64, 500000],
        [50, 1000000],
      ] as const) {
        const freqs = frequencies(half, theta);
        for (const position of [0, 1, 2, 3, 100, 2047, 4095, 32767, 65535, 100003, 131064]) {
          const table = angles(get(), freqs, position, [0, 9]);
          for (let t = 0; t < 9; t++) {
            const want = ropeTable(position + t, freqs);
            const at = t * half * 2;
            within(table.subarray(at, at + half), want.cos, exact(1), `cos at ${position + t}`);
            within(table.subarray(at + half, at + 2 * half), want.sin, exact(1), `sin at ${position + t}`);
          }
          agree(`angles ${half} ${theta} ${position}`, table);
        }
      }
    });

    test('near every multiple of pi / 4, where quadrants change', () => {
      const freqs = Float64Array.from({ length: 400 }, (_, j) => (j >> 2) * (Math.PI / 4) + ((j & 3) - 1.5) * 1e-7);
      const table = angles(get(), freqs, 1, [0, 1]);
      const want = ropeTable(1, freqs);
      within(table.subarray(0, 400), want.cos, exact(1), 'cos');
      within(table.subarray(400), want.sin, exact(1), 'sin');
    });

    test('a scale multiplies both; parts and chunks give the bits of the whole', () => {
      const freqs = frequencies(20, 10000);
      const whole = angles(get(), freqs, 1000, [0, 8]);
      sameBits(angles(get(), freqs, 1000, [0, 3, 8]), whole, 'parts');
      sameBits(angles(get(), freqs, 1003, [0, 5]), whole.subarray(3 * 40), 'a later chunk');
      const scale = 1.2;
      sameBits(
        angles(get(), freqs, 1000, [0, 8], scale),
        whole.map((c) => Math.fround(c * Math.fround(scale))),
        'scaled',
      );
    });
  });

  for (const [pairing, kernel] of [
    ['half', 'ropeHalfF32'],
    ['pairs', 'ropePairsF32'],
  ] as const)
    describe(kernel, () => {
      for (const headDim of HEAD_DIMS)
        for (const half of new Set([headDim / 2, headDim / 4, 3]))
          test(`heads of ${headDim}, ${2 * half} of them turned`, () => {
            const [heads, tokens] = [3, 4];
            const stride = heads * headDim + 4;
            const random = new Random(headDim + half);
            const x = random.f32(tokens * stride);
            const table = random.f32(tokens * half * 2);
            const want = x.slice();
            for (let t = 0; t < tokens; t++) {
              const cos = table.subarray(t * half * 2, t * half * 2 + half);
              const sin = table.subarray(t * half * 2 + half, (t + 1) * half * 2);
              for (let h = 0; h < heads; h++) {
                const at = t * stride + h * headDim;
                want.set(turn(x.subarray(at, at + headDim), cos, sin, pairing), at);
              }
            }
            for (const bounds of [
              [0, 4],
              [0, 1, 4],
            ]) {
              const arena = get().arena();
              const at = arena.inout('x', x);
              const from = arena.input('table', table);
              for (let i = 1; i < bounds.length; i++)
                get().kernels[kernel](at, from, heads, headDim, half, stride, bounds[i - 1]!, bounds[i]!);
              arena.check();
              sameBits(arena.f32(at, x.length), want, `bounds ${bounds}`);
            }
            expect(want).not.toEqual(x);
          });
    });
});
