// Ternary matrix x few tokens whose activations are digits (digits.ts). Two kernels, same bits.
import { ROW_SUMS_BYTES } from '../layout';
import { digitSums, finishDigits, flushDigits, nextDigit, widenTokens } from './digits';
import { MASK_0, MASK_1 } from './ternary';
import { FIELD_0, FIELD_1, FIELD_2, FIELD_3 } from './ternary-wide';

@inline function dot(codes: v128, q: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.relaxed_dot_i8x16_i7x16_add_s(q, codes, sum) : sum;
}

/** sums [32] i32 in the order of rows: 255 times what they are, plus one digit of a block; zeros where `fresh`. */
@inline function dotBlock(b: usize, p: usize, cols: i32, m0: v128, m1: v128, sums: usize, fresh: bool): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  let x: v128;
  for (const e = p + cols; p < e; b += 32, p += 4) {
    const a = v128.load32_splat(p);
    x = v128.load(b);
    s0 = dot(v128.and(x, m0), a, s0);
    s1 = dot(v128.and(x, m1), a, s1);
    x = i16x8.shr_u(x, 4);
    s2 = dot(v128.and(x, m0), a, s2);
    s3 = dot(v128.and(x, m1), a, s3);
    x = v128.load(b, 16);
    t0 = dot(v128.and(x, m0), a, t0);
    t1 = dot(v128.and(x, m1), a, t1);
    x = i16x8.shr_u(x, 4);
    t2 = dot(v128.and(x, m0), a, t2);
    t3 = dot(v128.and(x, m1), a, t3);
  }
  nextDigit(sums, s0, 0, fresh);
  nextDigit(sums + 16, t0, 0, fresh);
  nextDigit(sums + 32, s1, 2, fresh);
  nextDigit(sums + 48, t1, 2, fresh);
  nextDigit(sums + 64, s2, 0, fresh);
  nextDigit(sums + 80, t2, 0, fresh);
  nextDigit(sums + 96, s3, 2, fresh);
  nextDigit(sums + 112, t3, 2, fresh);
}

/**
 * y[t][r] (+)= sum_b scale[r,b] * aScale[t,b] * sum_{k in b} w[r,k] * number of q[t,k]              rows [begin, end)
 *   w       [rows, cols] ternary, packing V32 (docs/PACKING.md); rows padded to 32, cols to 32
 *   scales  [rows / 32, cols / wBlockCols, 32] f32
 *   q       [digits][T, cols] i8, planes planeBytes apart, aScales [T, cols / blockCols] f32, as quantizeDigits makes
 *           them; blockCols divides wBlockCols and is 256 at most
 *   y       [T, yStride] f32; add: 1 adds to it     tokens: address of the range [first, end), at most ROW_TOKENS
 *   scratch ROW_SUMS_BYTES + 4 * ROW_TOKENS * cols / blockCols bytes
 * Exact within a block (modulo 2^32, and no sum is as large); f32 sums over blocks in rising order.
 * Reference: test/ref/digits.ts
 */
export function matmulTernaryDigitsDot(
  w: usize, scales: usize, q: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols, every = wBlockCols / blockCols;
  const dots = scratch + 128, sums = scratch + ROW_SUMS_BYTES;
  for (let t: usize = first; t < <usize>last; t++)
    digitSums(q + t * cols, planeBytes, cols, blockCols, digits, sums + (((t - first) * blocks) << 2));
  const m0 = v128.load(MASK_0), m1 = v128.load(MASK_1);
  for (let r = begin; r < end; r += 32) {
    for (let t: usize = first; t < <usize>last; t++) {
      memory.fill(scratch, 0, 128);
      let b = w + ((<usize>r * cols) >> 2), p = q + t * cols;
      let scale = scales + ((<usize>r * (cols / wBlockCols)) << 2), a = aScales + ((t * blocks) << 2), sum = sums + (((t - first) * blocks) << 2);
      for (let k = 1; k <= blocks; k++, a += 4, sum += 4, b += <usize>blockCols << 3, p += blockCols) {
        for (let d = 0; d < digits; d++) dotBlock(b, p + <usize>d * planeBytes, blockCols, m0, m1, dots, d == 0);
        const z = v128.load32_splat(sum), s = v128.load32_splat(a);
        for (let o: usize = 0; o < 128; o += 16)
          flushDigits(scratch + o, i32x4.sub(v128.load(dots + o), z), v128.load(scale + o), s);
        if (k % every == 0) scale += 128;
      }
      finishDigits(scratch, y + ((t * yStride + r) << 2), add);
    }
  }
}

/** s += the two columns of x, and those of z, under the mask. */
@inline function dotWide(x: v128, z: v128, mask: v128, even: v128, odd: v128, sum: v128): v128 {
  return i32x4.add(i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(x, mask), even)), i32x4.dot_i16x8_s(v128.and(z, mask), odd));
}

/** As dotBlock, of one or two digits as i16. */
@inline function wideBlock(b: usize, p: usize, cols: i32, m0: v128, m1: v128, m2: v128, m3: v128, sums: usize, fresh: bool): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  for (const e = p + (<usize>cols << 1); p < e; b += 32, p += 8) {
    const even = v128.load32_splat(p), odd = v128.load32_splat(p, 4);
    let x = v128.load(b), z = i16x8.shr_u(x, 8);
    s0 = dotWide(x, z, m0, even, odd, s0);
    s1 = dotWide(x, z, m1, even, odd, s1);
    s2 = dotWide(x, z, m2, even, odd, s2);
    s3 = dotWide(x, z, m3, even, odd, s3);
    x = v128.load(b, 16);
    z = i16x8.shr_u(x, 8);
    t0 = dotWide(x, z, m0, even, odd, t0);
    t1 = dotWide(x, z, m1, even, odd, t1);
    t2 = dotWide(x, z, m2, even, odd, t2);
    t3 = dotWide(x, z, m3, even, odd, t3);
  }
  nextDigit(sums, s0, 0, fresh);
  nextDigit(sums + 16, t0, 0, fresh);
  nextDigit(sums + 32, s1, 2, fresh);
  nextDigit(sums + 48, t1, 2, fresh);
  nextDigit(sums + 64, s2, 4, fresh);
  nextDigit(sums + 80, t2, 4, fresh);
  nextDigit(sums + 96, s3, 6, fresh);
  nextDigit(sums + 112, t3, 6, fresh);
}

/**
 * As matmulTernaryDigitsDot in baseline SIMD, for engines that emulate the relaxed dot as well: same bits.
 * Scratch: 4 * ROW_TOKENS * cols bytes more.
 */
export function matmulTernaryDigitsWide(
  w: usize, scales: usize, q: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols, every = wBlockCols / blockCols;
  const dots = scratch + 128, sums = scratch + ROW_SUMS_BYTES, wide = sums + (((<usize>(last - first) * blocks + 3) & ~3) << 2);
  const passBytes = (<usize>(last - first) * cols) << 1;
  for (let t: usize = first; t < <usize>last; t++)
    digitSums(q + t * cols, planeBytes, cols, blockCols, digits, sums + (((t - first) * blocks) << 2));
  widenTokens(q, planeBytes, wide, cols, digits, first, last);
  const m0 = v128.load(FIELD_0), m1 = v128.load(FIELD_1), m2 = v128.load(FIELD_2), m3 = v128.load(FIELD_3);
  for (let r = begin; r < end; r += 32) {
    for (let t: usize = first; t < <usize>last; t++) {
      memory.fill(scratch, 0, 128);
      let b = w + ((<usize>r * cols) >> 2), p = wide + (((t - first) * cols) << 1);
      let scale = scales + ((<usize>r * (cols / wBlockCols)) << 2), a = aScales + ((t * blocks) << 2), sum = sums + (((t - first) * blocks) << 2);
      for (let k = 1; k <= blocks; k++, a += 4, sum += 4, b += <usize>blockCols << 3, p += <usize>blockCols << 1) {
        wideBlock(b, p, blockCols, m0, m1, m2, m3, dots, true);
        if (digits == 3) wideBlock(b, p + passBytes, blockCols, m0, m1, m2, m3, dots, false);
        const z = v128.load32_splat(sum), s = v128.load32_splat(a);
        for (let o: usize = 0; o < 128; o += 16)
          flushDigits(scratch + o, i32x4.sub(v128.load(dots + o), z), v128.load(scale + o), s);
        if (k % every == 0) scale += 128;
      }
      finishDigits(scratch, y + ((t * yStride + r) << 2), add);
    }
  }
}
