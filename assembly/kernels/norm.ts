// RMSNorm and the int8 quantisation of a token's activations, apart and in one pass.
import { maxF32 } from '../simd';

/** 1 / sqrt(mean(x^2) + eps): products in f32, their sum in f64, the rest in f32, as llama.cpp does. */
@inline export function inverseRms(x: usize, dim: i32, eps: f32): f32 {
  let a = f64x2.splat(0), b = a;
  for (const e = x + (<usize>dim << 2); x < e; x += 16) {
    const v = v128.load(x), s = f32x4.mul(v, v);
    a = f64x2.add(a, f64x2.promote_low_f32x4(s));
    b = f64x2.add(b, f64x2.promote_low_f32x4(i8x16.shuffle(s, s, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)));
  }
  a = f64x2.add(a, b);
  const mean = <f32>((f64x2.extract_lane(a, 0) + f64x2.extract_lane(a, 1)) / <f64>dim);
  return <f32>1.0 / sqrt<f32>(mean + eps);
}

/** y[i] = (x[i] * inv) * w[i]; returns max |y|. */
@inline export function scaleBy(x: usize, w: usize, y: usize, dim: i32, inv: f32): f32 {
  const v = f32x4.splat(inv);
  let m = f32x4.splat(0);
  for (const e = x + (<usize>dim << 2); x < e; x += 16, w += 16, y += 16) {
    const r = f32x4.mul(f32x4.mul(v128.load(x), v), v128.load(w));
    m = f32x4.pmax(m, f32x4.abs(r));
    v128.store(y, r);
  }
  return maxF32(m);
}

@inline function absMax(x: usize, dim: i32): f32 {
  let m = f32x4.splat(0);
  for (const e = x + (<usize>dim << 2); x < e; x += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(x)));
  return maxF32(m);
}

/**
 * q[i] = round_half_even(y[i] * s), clamped to +-127; s = 127 / max(max |y|, 1e-5); columns dim .. cols become 0.
 * -128 is kept out because an i16 accumulator of the ternary kernels would overflow with it.
 */
@inline function quantizeRow(y: usize, q: usize, scale: usize, dim: i32, cols: i32, most: f32): void {
  const s = <f32>127.0 / max<f32>(most, 1e-5), v = f32x4.splat(s);
  const low = f32x4.splat(-127), high = f32x4.splat(127);
  store<f32>(scale, s);
  const e = q + dim;
  for (; q < e; q += 4, y += 16) {
    // pmin and pmax as written turn a NaN into a number, so that trunc_sat never sees one.
    const r = f32x4.pmin(high, f32x4.pmax(low, f32x4.nearest(f32x4.mul(v128.load(y), v))));
    const i = i32x4.trunc_sat_f32x4_s(r), h = i16x8.narrow_i32x4_s(i, i);
    v128.store32_lane(q, i8x16.narrow_i16x8_s(h, h), 0);
  }
  memory.fill(q, 0, cols - dim);
}

/**
 * y[t] = rms(x[t + source]) * w             tokens [begin, end)
 *   x, y [T, stride] f32     w [dim] f32     source: address of an i32, the row of x that row 0 reads     dim % 4 = 0
 */
export function rmsNormF32(
  x: usize, w: usize, y: usize, source: usize, dim: i32, xStride: i32, yStride: i32, eps: f32, begin: i32, end: i32,
): void {
  for (let t = begin; t < end; t++) {
    const p = x + ((<usize>(t + load<i32>(source)) * xStride) << 2);
    scaleBy(p, w, y + ((<usize>t * yStride) << 2), dim, inverseRms(p, dim, eps));
  }
}

/** As rmsNormF32 without source, then quantised: q [T, cols] i8, scale [T] f32 with y ~ q / scale. */
export function rmsNormQuantizeI8(
  x: usize, w: usize, q: usize, scale: usize, dim: i32, xStride: i32, cols: i32, eps: f32, begin: i32, end: i32, scratch: usize,
): void {
  for (let t = begin; t < end; t++) {
    const p = x + ((<usize>t * xStride) << 2);
    const most = scaleBy(p, w, scratch, dim, inverseRms(p, dim, eps));
    quantizeRow(scratch, q + <usize>t * cols, scale + (t << 2), dim, cols, most);
  }
}

/** x [T, xStride] f32 -> q [T, cols] i8, scale [T] f32: one scale per token.         tokens [begin, end) */
export function quantizeI8(
  x: usize, q: usize, scale: usize, dim: i32, xStride: i32, cols: i32, begin: i32, end: i32,
): void {
  for (let t = begin; t < end; t++) {
    const p = x + ((<usize>t * xStride) << 2);
    quantizeRow(p, q + <usize>t * cols, scale + (t << 2), dim, cols, absMax(p, dim));
  }
}

/** Per-head RMSNorm in place: x [T, xStride] f32 holds heads of headDim; w [headDim].        tokens [begin, end) */
export function rmsNormHeadsF32(
  x: usize, w: usize, heads: i32, headDim: i32, xStride: i32, eps: f32, begin: i32, end: i32,
): void {
  for (let t = begin; t < end; t++) {
    let p = x + ((<usize>t * xStride) << 2);
    for (let h = 0; h < heads; h++, p += headDim << 2) scaleBy(p, w, p, headDim, inverseRms(p, headDim, eps));
  }
}
