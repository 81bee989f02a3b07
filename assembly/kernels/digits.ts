// Activations of weight-only models (Bonsai, TriLM) as one to three int8 digits of base 255, so that integer kernels
// multiply them: x ~ (255^(n-1) d0 + ... + d[n-1]) * scale with |d| <= 127 and a scale per block of columns. Two digits
// meet a block's largest value to 1.6e-5 of itself, three to 2e-7: as f32 does. Reference: test/ref/digits.ts
import { maxF32, sumI32 } from '../simd';
import { inverseRms, scaleBy } from './norm';

/** The greatest whole number of so many digits: 127 (255^0 + 255^1 + ...). */
@inline function greatest(digits: i32): f32 {
  return digits == 1 ? 127 : digits == 2 ? 32512 : 8290687;
}

@inline function storeI8x4(p: usize, v: v128): void {
  const i = i32x4.trunc_sat_f32x4_s(v), h = i16x8.narrow_i32x4_s(i, i);
  v128.store32_lane(p, i8x16.narrow_i16x8_s(h, h), 0);
}

/** One row of numbers -> digits, planes planeBytes apart, [cols] i8 each, scales [cols / blockCols] f32. */
function digitsOfRow(
  x: usize, q: usize, planeBytes: usize, scales: usize, dim: i32, cols: i32, blockCols: i32, digits: i32,
): void {
  const most = greatest(digits), top = f32x4.splat(most), bottom = f32x4.splat(-most);
  const base = f32x4.splat(255);
  for (let k = 0; k < cols; k += blockCols, scales += 4) {
    const n = <usize>(min(blockCols, max(dim - k, 0)) << 2);
    let m = f32x4.splat(0);
    for (let p = x, e = x + n; p < e; p += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(p)));
    const a = maxF32(m);
    // A block this small is zeros: its inverse would overflow.
    const v = f32x4.splat(a > 1e-30 ? most / a : 0);
    store<f32>(scales, a > 1e-30 ? a / most : 0);
    for (const e = x + n; x < e; x += 16, q += 4) {
      // pmin and pmax as written turn a NaN into a number, so that trunc_sat never sees one.
      let r = f32x4.pmin(top, f32x4.pmax(bottom, f32x4.nearest(f32x4.mul(v128.load(x), v))));
      // The lowest digit first, the rest of the nearest multiple of 255. Divided: a product with 1 / 255 is not near enough.
      for (let d = q + <usize>(digits - 1) * planeBytes; d > q; d -= planeBytes) {
        const h = f32x4.nearest(f32x4.div(r, base));
        storeI8x4(d, f32x4.sub(r, f32x4.mul(h, base)));
        r = h;
      }
      storeI8x4(q, r);
    }
    const rest = <usize>blockCols - (n >> 2);
    for (let d = 0; d < digits; d++) memory.fill(q + <usize>d * planeBytes, 0, rest);
    q += rest;
  }
}

/**
 * x [T, xStride] f32 -> q [digits][T, cols] i8, planes planeBytes apart, scales [T, cols / blockCols] f32.   tokens [begin, end)
 *   digits 1 to 3, the highest first     dim a multiple of 4, cols of blockCols, blockCols of 32; columns from dim on become 0
 */
export function quantizeDigits(
  x: usize, q: usize, planeBytes: usize, scales: usize, dim: i32, xStride: i32, cols: i32, blockCols: i32, digits: i32,
  begin: i32, end: i32,
): void {
  for (let t: usize = begin; t < <usize>end; t++)
    digitsOfRow(x + ((t * xStride) << 2), q + t * cols, planeBytes, scales + ((t * (cols / blockCols)) << 2), dim, cols, blockCols, digits);
}

/** As quantizeDigits, of rms(x[t]) * w. scratch: 4 * dim bytes. */
export function rmsNormQuantizeDigits(
  x: usize, w: usize, q: usize, planeBytes: usize, scales: usize, dim: i32, xStride: i32, cols: i32, blockCols: i32, digits: i32,
  eps: f32, begin: i32, end: i32, scratch: usize,
): void {
  for (let t: usize = begin; t < <usize>end; t++) {
    const p = x + ((t * xStride) << 2);
    scaleBy(p, w, scratch, dim, inverseRms(p, dim, eps));
    digitsOfRow(scratch, q + t * cols, planeBytes, scales + ((t * (cols / blockCols)) << 2), dim, cols, blockCols, digits);
  }
}

/** sums[b] = sum over block b of the numbers that the digits make, modulo 2^32, i32. */
export function digitSums(q: usize, planeBytes: usize, cols: i32, blockCols: i32, digits: i32, sums: usize): void {
  for (const e = q + cols; q < e; sums += 4, q += blockCols) {
    let sum = 0;
    for (let d = 0, p = q; d < digits; d++, p += planeBytes) {
      let s = i32x4.splat(0);
      for (let o: usize = 0; o < <usize>blockCols; o += 16)
        s = i32x4.add(s, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v128.load(p + o))));
      sum = 255 * sum + sumI32(s);
    }
    store<i32>(sums, sum);
  }
}

/** One digit, or 255 times one and the next, as i16 [cols], the columns of each quad in the order 0, 2, 1, 3. */
@inline export function widenDigits(high: usize, low: usize, both: bool, wide: usize, cols: i32): void {
  const base = i16x8.splat(255);
  for (const e = high + cols; high < e; high += 8, low += 8, wide += 16) {
    let v = v128.load_ext<i8>(high);
    if (both) v = i16x8.add(i16x8.mul(v, base), v128.load_ext<i8>(low));
    v128.store(wide, i8x16.shuffle(v, v, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  }
}

/**
 * For the kernels in baseline SIMD: digits two by two as i16, so that two cost as much as one: [passes][tokens][cols],
 * the highest first, a single digit last where they are odd in number.
 */
export function widenTokens(
  q: usize, planeBytes: usize, wide: usize, cols: i32, digits: i32, first: i32, last: i32,
): void {
  for (let d = 0; d < digits; d += 2) {
    const both = d + 1 < digits;
    for (let t: usize = first; t < <usize>last; t++, wide += <usize>cols << 1) {
      const p = q + <usize>d * planeBytes + t * cols;
      widenDigits(p, p + planeBytes, both, wide, cols);
    }
  }
}

/** Four sums [4] i32 at p = 255 times what they were, or 0 where `fresh`, plus a digit's dots, too large by 2^shift. */
@inline export function nextDigit(p: usize, dot: v128, shift: i32, fresh: bool): void {
  let v = i32x4.shr_s(dot, shift);
  if (!fresh) v = i32x4.add(i32x4.mul(v128.load(p), i32x4.splat(255)), v);
  v128.store(p, v);
}

/** y[0 .. 32) = acc, or y + acc. */
@inline export function finishDigits(acc: usize, y: usize, add: i32): void {
  for (const e = acc + 128; acc < e; acc += 16, y += 16) {
    const v = v128.load(acc);
    v128.store(y, add ? f32x4.add(v128.load(y), v) : v);
  }
}

/** acc += f32(dot) * (scale * activation scale), four rows. */
@inline export function flushDigits(acc: usize, dot: v128, scale: v128, a: v128): void {
  v128.store(acc, f32x4.add(v128.load(acc), f32x4.mul(f32x4.convert_i32x4_s(dot), f32x4.mul(scale, a))));
}
