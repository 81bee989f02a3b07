// int8 weights with a scale per row x int8 activations: the quantised head.
import { ROW_SUMS_BYTES } from '../layout';
import { blockSums } from './ternary';
import { widenQuads } from './ternary-wide';

const MASK_7: usize = memory.data<u8>([127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127, 127]);
const MASK_1: usize = memory.data<u8>([1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1]);
const LOW_BYTE: usize = memory.data<u16>([255, 255, 255, 255, 255, 255, 255, 255]);

@inline function dot(codes: v128, q: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.relaxed_dot_i8x16_i7x16_add_s(q, codes, sum) : sum;
}

/** y = f32(sum - bias) * scale / s, four rows. */
@inline function storeRows(y: usize, sum: v128, bias: v128, scales: usize, s: v128): void {
  const d = f32x4.convert_i32x4_s(i32x4.sub(sum, bias));
  v128.store(y, f32x4.div(f32x4.mul(d, v128.load(scales)), s));
}

/**
 * y[t][r] = scale[r] * (sum_k w[r,k] * q[t,k]) / qScale[t]         rows [begin, end)
 *   w      [rows, cols] i8, packing H16 (docs/PACKING.md): w + 128 as u8; rows padded to 32, cols to 32
 *   scales [rows] f32     q [T, cols] i8, |q| <= 127     qScale [T] f32     y [T, yStride] f32
 *   tokens: address of the range [first, end), at most ROW_TOKENS     scratch as matmulTernaryDot with blockCols = cols
 * u = 2 h + l with h < 128, l < 2: two dots with a 7-bit side, exact in every engine. Bytes moved: rows * cols.
 */
export function matmulI8RowDot(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, yStride: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), sums = scratch + ROW_SUMS_BYTES;
  for (let t = first; t < last; t++) blockSums(q + <usize>t * cols, cols, cols, sums + (<usize>(t - first) << 2));
  const m7 = v128.load(MASK_7), m1 = v128.load(MASK_1);
  for (let r = begin; r < end; r += 16) {
    for (let t = first; t < last; t++) {
      let b = w + <usize>r * cols, p = q + <usize>t * cols;
      let h0 = i32x4.splat(0), h1 = h0, h2 = h0, h3 = h0, l0 = h0, l1 = h0, l2 = h0, l3 = h0;
      let x: v128;
      for (const e = p + cols; p < e; b += 64, p += 4) {
        const a = v128.load32_splat(p);
        x = v128.load(b);
        h0 = dot(v128.and(i16x8.shr_u(x, 1), m7), a, h0);
        l0 = dot(v128.and(x, m1), a, l0);
        x = v128.load(b, 16);
        h1 = dot(v128.and(i16x8.shr_u(x, 1), m7), a, h1);
        l1 = dot(v128.and(x, m1), a, l1);
        x = v128.load(b, 32);
        h2 = dot(v128.and(i16x8.shr_u(x, 1), m7), a, h2);
        l2 = dot(v128.and(x, m1), a, l2);
        x = v128.load(b, 48);
        h3 = dot(v128.and(i16x8.shr_u(x, 1), m7), a, h3);
        l3 = dot(v128.and(x, m1), a, l3);
      }
      const bias = i32x4.splat(load<i32>(sums + (<usize>(t - first) << 2)) << 7);
      const s = v128.load32_splat(qScale + (t << 2)), scale = scales + (r << 2), o = y + ((<usize>t * yStride + r) << 2);
      storeRows(o, i32x4.add(i32x4.shl(h0, 1), l0), bias, scale, s);
      storeRows(o + 16, i32x4.add(i32x4.shl(h1, 1), l1), bias, scale + 16, s);
      storeRows(o + 32, i32x4.add(i32x4.shl(h2, 1), l2), bias, scale + 32, s);
      storeRows(o + 48, i32x4.add(i32x4.shl(h3, 1), l3), bias, scale + 48, s);
    }
  }
}

/** Four rows of a quad. One sum for both halves: with two V8 12 runs out of registers and spills one (0.6x). */
@inline function dotWide(x: v128, low: v128, even: v128, odd: v128): v128 {
  return i32x4.add(i32x4.dot_i16x8_s(v128.and(x, low), even), i32x4.dot_i16x8_s(i16x8.shr_u(x, 8), odd));
}

/** As matmulI8RowDot in baseline SIMD: same arguments, same bits. Scratch: 2 * ROW_TOKENS * cols bytes more. */
export function matmulI8RowWide(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, yStride: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tokens), last = load<i32>(tokens, 4);
  const sums = scratch + ROW_SUMS_BYTES, wide = sums + (<usize>((last - first + 3) & ~3) << 2);
  for (let t = first; t < last; t++) {
    blockSums(q + <usize>t * cols, cols, cols, sums + (<usize>(t - first) << 2));
    widenQuads(q + <usize>t * cols, wide + ((<usize>(t - first) * cols) << 1), cols);
  }
  const m = v128.load(LOW_BYTE);
  for (let r = begin; r < end; r += 16) {
    for (let t = first; t < last; t++) {
      let b = w + <usize>r * cols, p = wide + ((<usize>(t - first) * cols) << 1);
      let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
      let x: v128;
      for (const e = p + (<usize>cols << 1); p < e; b += 64, p += 8) {
        const even = v128.load32_splat(p), odd = v128.load32_splat(p, 4);
        x = v128.load(b);
        s0 = i32x4.add(s0, dotWide(x, m, even, odd));
        x = v128.load(b, 16);
        s1 = i32x4.add(s1, dotWide(x, m, even, odd));
        x = v128.load(b, 32);
        s2 = i32x4.add(s2, dotWide(x, m, even, odd));
        x = v128.load(b, 48);
        s3 = i32x4.add(s3, dotWide(x, m, even, odd));
      }
      const bias = i32x4.splat(load<i32>(sums + (<usize>(t - first) << 2)) << 7);
      const s = v128.load32_splat(qScale + (t << 2)), scale = scales + (r << 2), o = y + ((<usize>t * yStride + r) << 2);
      storeRows(o, s0, bias, scale, s);
      storeRows(o + 16, s1, bias, scale + 16, s);
      storeRows(o + 32, s2, bias, scale + 32, s);
      storeRows(o + 48, s3, bias, scale + 48, s);
    }
  }
}
