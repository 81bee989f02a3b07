// RMSNorm and quantisation: their roundings are documented, so both are exact, apart and in one pass.
import { describe, expect, test } from 'vitest';
import { quantize, rmsNorm } from '../ref/norm.ts';
import { Random } from '../ref/random.ts';
import { sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const T = 5;
const EPS = 1e-5;
const dims = [4, 12, 32, 100, 2560, 6912, 8640];
const padTo = (n: number, unit: number) => Math.ceil(n / unit) * unit;

/** Tokens of very different sizes: [T, stride], the last a zero vector. */
function activations(dim: number, stride: number): Float32Array<ArrayBuffer> {
  const random = new Random(dim + stride);
  const x = new Float32Array(T * stride).fill(1e30);
  [1, 300, 1e-3, 1e-9, 0].forEach((size, t) => {
    x.set(random.f32(dim, size), t * stride);
  });
  return x;
}

const token = (x: Float32Array, stride: number, t: number, dim: number) => x.subarray(t * stride, t * stride + dim);

/** q [T, cols] and the scales after the call of one of the two quantising kernels, over `bounds`. */
function quantized(
  v: Variant,
  x: Float32Array<ArrayBuffer>,
  dim: number,
  bounds: number[],
  w?: Float32Array<ArrayBuffer>,
) {
  const cols = padTo(dim, 32);
  const stride = x.length / T;
  const arena = v.arena();
  const from = arena.input('x', x);
  const weights = arena.input('w', w ?? new Float32Array(4));
  const q = arena.region('q', T * cols);
  const scale = arena.region('scale', T * 4);
  const scratch = arena.region('scratch', dim * 4);
  for (let i = 1; i < bounds.length; i++) {
    const range = [bounds[i - 1]!, bounds[i]!] as const;
    if (w) v.kernels.rmsNormQuantizeI8(from, weights, q, scale, dim, stride, cols, EPS, ...range, scratch);
    else v.kernels.quantizeI8(from, q, scale, dim, stride, cols, ...range);
  }
  arena.check();
  return { q: arena.i8(q, T * cols), scale: arena.f32(scale, T), cols };
}

forEachVariant((get) => {
  for (const dim of dims)
    describe(`dim ${dim}`, () => {
      const stride = dim + 8;
      const w = new Random(dim).f32(dim, 2);

      test('rmsNormF32, row 0 read from row `source`', () => {
        const x = activations(dim, stride);
        for (const source of [0, 2]) {
          const arena = get().arena();
          const from = arena.input('x', x);
          const weights = arena.input('w', w);
          const y = arena.inout('y', new Float32Array(T * stride).fill(7));
          const row = arena.input('source', Int32Array.of(source));
          get().kernels.rmsNormF32(from, weights, y, row, dim, stride, stride, EPS, 0, 1);
          get().kernels.rmsNormF32(from, weights, y, row, dim, stride, stride, EPS, 1, T - source);
          arena.check();
          const want = new Float32Array(T * stride).fill(7);
          for (let t = 0; t < T - source; t++) want.set(rmsNorm(token(x, stride, t + source, dim), w, EPS), t * stride);
          sameBits(arena.f32(y, T * stride), want, `source ${source}`);
        }
      });

      test('quantizeI8: padded columns are 0', () => {
        const x = activations(dim, stride);
        for (const bounds of [
          [0, T],
          [0, 2, T],
        ]) {
          const { q, scale, cols } = quantized(get(), x, dim, bounds);
          for (let t = 0; t < T; t++) {
            const want = quantize(token(x, stride, t, dim), cols);
            expect(scale[t]).toBe(want.scale);
            sameBits(q.subarray(t * cols, (t + 1) * cols), want.q, `token ${t}`);
          }
        }
      });

      test('rmsNormQuantizeI8 is one after the other', () => {
        const x = activations(dim, stride);
        for (const bounds of [
          [0, T],
          [0, 1, T],
        ]) {
          const { q, scale, cols } = quantized(get(), x, dim, bounds, w);
          for (let t = 0; t < T; t++) {
            const want = quantize(rmsNorm(token(x, stride, t, dim), w, EPS), cols);
            expect(scale[t]).toBe(want.scale);
            sameBits(q.subarray(t * cols, (t + 1) * cols), want.q, `token ${t}`);
          }
        }
      });
    });

  test('quantizeI8: ties go to the even integer, and -128 never appears', () => {
    const dim = 64;
    const x = new Float32Array(T * dim);
    for (let t = 0; t < T; t++)
      for (let i = 0; i < dim; i++) x[t * dim + i] = i === 0 ? (t % 2 ? -127 : 127) : i - 32.5;
    const { q } = quantized(get(), x, dim, [0, T]);
    expect([...q.subarray(0, 6)]).toEqual([127, -32, -30, -30, -28, -28]);
    expect(q[dim]).toBe(-127);
  });

  test('quantizeI8: a NaN or an infinity still gives values within 127', () => {
    const dim = 32;
    const x = new Random(1).f32(T * dim);
    x[3] = NaN;
    x[dim + 5] = Infinity;
    x[2 * dim + 9] = -Infinity;
    const { q } = quantized(get(), x, dim, [0, T]);
    expect(q.every((v) => v >= -127)).toBe(true);
  });

  for (const headDim of [8, 40, 48, 64, 80, 96, 100, 128, 256])
    test(`rmsNormHeadsF32, heads of ${headDim}`, () => {
      const heads = 3;
      const stride = heads * headDim + 4;
      const w = new Random(headDim).f32(headDim, 2);
      const x = new Random(headDim + 1).f32(T * stride, 4);
      for (const bounds of [
        [0, T],
        [0, 2, T],
      ]) {
        const arena = get().arena();
        const at = arena.inout('x', x);
        const weights = arena.input('w', w);
        for (let i = 1; i < bounds.length; i++)
          get().kernels.rmsNormHeadsF32(at, weights, heads, headDim, stride, EPS, bounds[i - 1]!, bounds[i]!);
        arena.check();
        const want = x.slice();
        for (let t = 0; t < T; t++)
          for (let h = 0; h < heads; h++) {
            const start = t * stride + h * headDim;
            want.set(rmsNorm(x.subarray(start, start + headDim), w, EPS), start);
          }
        sameBits(arena.f32(at, T * stride), want, 'x');
      }
    });
});
