// Binary weights (+1, -1) in packing B32 x few tokens whose activations are digits (digits.ts): twice the sum over the
// set bits less the sum of all. Two kernels, same bits; and 1 bit x 1 bit by counting.
import { ROW_SUMS_BYTES } from '../layout';
import { loadF16x4, sumI32 } from '../simd';
import { digitSums, finishDigits, flushDigits, nextDigit, widenTokens } from './digits';

const BITS: usize = memory.data<u8>([
  1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2,
  4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8, 8,
]);
const FIELDS: usize = memory.data<u16>([
  1, 1, 1, 1, 1, 1, 1, 1, 2, 2, 2, 2, 2, 2, 2, 2, 4, 4, 4, 4, 4, 4, 4, 4, 8, 8, 8, 8, 8, 8, 8, 8,
  16, 16, 16, 16, 16, 16, 16, 16, 32, 32, 32, 32, 32, 32, 32, 32, 64, 64, 64, 64, 64, 64, 64, 64, 128, 128, 128, 128, 128, 128, 128, 128,
]);

@inline function dot(bits: v128, q: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.relaxed_dot_i8x16_i7x16_add_s(q, bits, sum) : sum;
}

/** sums [32] i32 over set bits in the order of rows: 255 times what they are, plus one digit of a block. */
@inline function dotBlock(b: usize, p: usize, cols: i32, sums: usize, fresh: bool): void {
  const m0 = v128.load(BITS), m1 = v128.load(BITS, 16), m2 = v128.load(BITS, 32), m3 = v128.load(BITS, 48);
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  for (const e = p + cols; p < e; b += 16, p += 4) {
    const a = v128.load32_splat(p);
    let x = v128.load(b);
    s0 = dot(v128.and(x, m0), a, s0);
    s1 = dot(v128.and(x, m1), a, s1);
    s2 = dot(v128.and(x, m2), a, s2);
    s3 = dot(v128.and(x, m3), a, s3);
    x = i16x8.shr_u(x, 4);
    s4 = dot(v128.and(x, m0), a, s4);
    s5 = dot(v128.and(x, m1), a, s5);
    s6 = dot(v128.and(x, m2), a, s6);
    s7 = dot(v128.and(x, m3), a, s7);
  }
  nextDigit(sums, s0, 0, fresh);
  nextDigit(sums + 16, s1, 1, fresh);
  nextDigit(sums + 32, s2, 2, fresh);
  nextDigit(sums + 48, s3, 3, fresh);
  nextDigit(sums + 64, s4, 0, fresh);
  nextDigit(sums + 80, s5, 1, fresh);
  nextDigit(sums + 96, s6, 2, fresh);
  nextDigit(sums + 112, s7, 3, fresh);
}

/** acc [32] += (2 * dots - z) * (scales * s): the sum over set bits less that over the others. */
@inline function flushBlock(acc: usize, dots: usize, z: v128, scales: usize, s: v128): void {
  for (let o: usize = 0; o < 128; o += 16)
    flushDigits(acc + o, i32x4.sub(i32x4.shl(v128.load(dots + o), 1), z), loadF16x4(scales + (o >> 1)), s);
}

/**
 * As matmulTernaryDigitsDot, w [rows, cols] of +1 and -1 in packing B32, scales [rows / 32, cols / wBlockCols, 32] f16.
 * Bytes moved: rows * cols / 8 and the scales.
 */
export function matmulBinaryDigitsDot(
  w: usize, scales: usize, q: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols, every = wBlockCols / blockCols;
  const dots = scratch + 128, sums = scratch + ROW_SUMS_BYTES;
  for (let t: usize = first; t < <usize>last; t++)
    digitSums(q + t * cols, planeBytes, cols, blockCols, digits, sums + (((t - first) * blocks) << 2));
  for (let r = begin; r < end; r += 32) {
    for (let t: usize = first; t < <usize>last; t++) {
      memory.fill(scratch, 0, 128);
      let b = w + ((<usize>r * cols) >> 3), p = q + t * cols;
      let scale = scales + ((<usize>r * (cols / wBlockCols)) << 1), a = aScales + ((t * blocks) << 2), sum = sums + (((t - first) * blocks) << 2);
      for (let k = 1; k <= blocks; k++, a += 4, sum += 4, b += <usize>blockCols << 2, p += blockCols) {
        for (let d = 0; d < digits; d++) dotBlock(b, p + <usize>d * planeBytes, blockCols, dots, d == 0);
        flushBlock(scratch, dots, v128.load32_splat(sum), scale, v128.load32_splat(a));
        if (k % every == 0) scale += 64;
      }
      finishDigits(scratch, y + ((t * yStride + r) << 2), add);
    }
  }
}

/** s += the two columns of x, and those of z, under mask number `field`; the mask is an operand in memory. */
@inline function dotWide(x: v128, z: v128, field: usize, even: v128, odd: v128, sum: v128): v128 {
  const mask = v128.load(FIELDS + (field << 4));
  return i32x4.add(i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(x, mask), even)), i32x4.dot_i16x8_s(v128.and(z, mask), odd));
}

/** As dotBlock, of one or two digits as i16. */
@inline function wideBlock(b: usize, p: usize, cols: i32, sums: usize, fresh: bool): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, s4 = s0, s5 = s0, s6 = s0, s7 = s0;
  for (const e = p + (<usize>cols << 1); p < e; b += 16, p += 8) {
    const even = v128.load32_splat(p), odd = v128.load32_splat(p, 4);
    const x = v128.load(b), z = i16x8.shr_u(x, 8);
    s0 = dotWide(x, z, 0, even, odd, s0);
    s1 = dotWide(x, z, 1, even, odd, s1);
    s2 = dotWide(x, z, 2, even, odd, s2);
    s3 = dotWide(x, z, 3, even, odd, s3);
    s4 = dotWide(x, z, 4, even, odd, s4);
    s5 = dotWide(x, z, 5, even, odd, s5);
    s6 = dotWide(x, z, 6, even, odd, s6);
    s7 = dotWide(x, z, 7, even, odd, s7);
  }
  nextDigit(sums, s0, 0, fresh);
  nextDigit(sums + 16, s1, 1, fresh);
  nextDigit(sums + 32, s2, 2, fresh);
  nextDigit(sums + 48, s3, 3, fresh);
  nextDigit(sums + 64, s4, 4, fresh);
  nextDigit(sums + 80, s5, 5, fresh);
  nextDigit(sums + 96, s6, 6, fresh);
  nextDigit(sums + 112, s7, 7, fresh);
}

/** As matmulBinaryDigitsDot in baseline SIMD: same arguments, same bits. Scratch: 4 * ROW_TOKENS * cols bytes more. */
export function matmulBinaryDigitsWide(
  w: usize, scales: usize, q: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols, every = wBlockCols / blockCols;
  const dots = scratch + 128, sums = scratch + ROW_SUMS_BYTES, wide = sums + (((<usize>(last - first) * blocks + 3) & ~3) << 2);
  const passBytes = (<usize>(last - first) * cols) << 1;
  for (let t: usize = first; t < <usize>last; t++)
    digitSums(q + t * cols, planeBytes, cols, blockCols, digits, sums + (((t - first) * blocks) << 2));
  widenTokens(q, planeBytes, wide, cols, digits, first, last);
  for (let r = begin; r < end; r += 32) {
    for (let t: usize = first; t < <usize>last; t++) {
      memory.fill(scratch, 0, 128);
      let b = w + ((<usize>r * cols) >> 3), p = wide + (((t - first) * cols) << 1);
      let scale = scales + ((<usize>r * (cols / wBlockCols)) << 1), a = aScales + ((t * blocks) << 2), sum = sums + (((t - first) * blocks) << 2);
      for (let k = 1; k <= blocks; k++, a += 4, sum += 4, b += <usize>blockCols << 2, p += <usize>blockCols << 1) {
        wideBlock(b, p, blockCols, dots, true);
        if (digits == 3) wideBlock(b, p + passBytes, blockCols, dots, false);
        flushBlock(scratch, dots, v128.load32_splat(sum), scale, v128.load32_splat(a));
        if (k % every == 0) scale += 64;
      }
      finishDigits(scratch, y + ((t * yStride + r) << 2), add);
    }
  }
}

/**
 * y[r] = scales[r] * xScale * (cols - 2 * popcount(w[r] ^ x)): signs times signs.                    rows [begin, end)
 *   w [rows, cols / 8] bits, row-major, 1 is +1     x [cols / 8] bits     scales [rows] f32     y [rows] f32
 *   cols a multiple of 128
 * XNOR-Net (arXiv 1603.05279), section 3.2. No published model has binary activations yet.
 */
export function matmulBinaryBinary(
  w: usize, scales: usize, x: usize, y: usize, cols: i32, xScale: f32, begin: i32, end: i32,
): void {
  const rowBytes = <usize>cols >> 3;
  for (let r: usize = begin; r < <usize>end; r++) {
    let b = w + r * rowBytes, differ = i32x4.splat(0);
    for (let p = x, e = x + rowBytes; p < e; ) {
      // 16 vectors add at most 16 * 8 to a byte.
      let bytes = i8x16.splat(0), f = p + 256;
      if (f > e) f = e;
      for (; p < f; p += 16, b += 16) bytes = i8x16.add(bytes, i8x16.popcnt(v128.xor(v128.load(b), v128.load(p))));
      differ = i32x4.add(differ, i32x4.extadd_pairwise_i16x8_u(i16x8.extadd_pairwise_i8x16_u(bytes)));
    }
    store<f32>(y + (r << 2), load<f32>(scales + (r << 2)) * xScale * <f32>(cols - 2 * sumI32(differ)));
  }
}
