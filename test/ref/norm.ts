// RMSNorm and quantisation with the documented roundings: products in f32, their sum in f64, the rest in f32.
import { roundHalfEven } from './f16.ts';

const { fround } = Math;

/** x[i] / rms(x) * w[i] for one vector. */
export function rmsNorm(x: Float32Array, w: Float32Array, eps: number): Float32Array<ArrayBuffer> {
  const squares = x.reduce((sum, v) => sum + fround(v * v), 0);
  const mean = fround(squares / x.length);
  const inverse = fround(1 / fround(Math.sqrt(fround(mean + fround(eps)))));
  return Float32Array.from(x, (v, i) => fround(v * inverse) * w[i]!);
}

/** One token's activations -> int8 and the scale s with x ~ q / s; columns beyond x up to `cols` are 0. */
export function quantize(x: Float32Array, cols: number): { q: Int8Array; scale: number } {
  const most = x.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
  const scale = fround(127 / Math.max(most, fround(1e-5)));
  const q = new Int8Array(cols);
  x.forEach((v, i) => {
    q[i] = Math.max(-127, Math.min(127, roundHalfEven(fround(v * scale))));
  });
  return { q, scale };
}
