// int8 weights with a scale per row x int8 activations: the quantised head.
import { ROW_SUMS_BYTES } from '../layout';
import { blockSums, widenQuads } from './ternary';

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

/** Weights of so many columns (8 KB) are still in the first-level cache when they are read again. */
const SPAN: i32 = 512;

@inline function addSums(into: usize, sum: v128): void {
  v128.store(into, i32x4.add(v128.load(into), sum));
}

/** 16 rows' sums -> y. */
@inline function storeSums(y: usize, sums: usize, activations: i32, scales: usize, qScale: usize): void {
  const bias = i32x4.splat(activations << 7), s = v128.load32_splat(qScale);
  for (let o: usize = 0; o < 64; o += 16) storeRows(y + o, v128.load(sums + o), bias, scales + o, s);
}

/** ints [2][16] i32 += half of each block x tokens `tokenBytes` apart. The sums of all rows would not fit registers. */
@inline function half(b: usize, p: usize, tokenBytes: usize, cols: i32, m7: v128, m1: v128, ints: usize): void {
  let h0 = i32x4.splat(0), h1 = h0, l0 = h0, l1 = h0, i0 = h0, i1 = h0, j0 = h0, j1 = h0;
  for (const e = p + cols; p < e; b += 64, p += 4) {
    const a = v128.load32_splat(p), c = v128.load32_splat(p + tokenBytes);
    let x = v128.load(b), u = v128.and(i16x8.shr_u(x, 1), m7);
    h0 = dot(u, a, h0);
    i0 = dot(u, c, i0);
    u = v128.and(x, m1);
    l0 = dot(u, a, l0);
    j0 = dot(u, c, j0);
    x = v128.load(b, 16);
    u = v128.and(i16x8.shr_u(x, 1), m7);
    h1 = dot(u, a, h1);
    i1 = dot(u, c, i1);
    u = v128.and(x, m1);
    l1 = dot(u, a, l1);
    j1 = dot(u, c, j1);
  }
  addSums(ints, i32x4.add(i32x4.shl(h0, 1), l0));
  addSums(ints + 16, i32x4.add(i32x4.shl(h1, 1), l1));
  addSums(ints + 64, i32x4.add(i32x4.shl(i0, 1), j0));
  addSums(ints + 80, i32x4.add(i32x4.shl(i1, 1), j1));
}

/** ints [2][16] i32 = 16 rows x two tokens: weights are unpacked once for both. */
function twoDot(b: usize, q: usize, cols: i32, ints: usize): void {
  const m7 = v128.load(MASK_7), m1 = v128.load(MASK_1);
  memory.fill(ints, 0, 128);
  for (let k = 0; k < cols; k += SPAN, q += SPAN, b += SPAN << 4) {
    const n = min(SPAN, cols - k);
    for (let h: usize = 0; h < 64; h += 32) half(b + h, q, cols, n, m7, m1, ints + h);
  }
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
    let t = first;
    for (; t + 1 < last; t += 2) {
      twoDot(w + <usize>r * cols, q + <usize>t * cols, cols, scratch);
      const o = y + ((<usize>t * yStride + r) << 2), sum = sums + (<usize>(t - first) << 2), scale = scales + (r << 2);
      storeSums(o, scratch, load<i32>(sum), scale, qScale + (t << 2));
      storeSums(o + (<usize>yStride << 2), scratch + 64, load<i32>(sum, 4), scale, qScale + (t << 2) + 4);
    }
    if (t < last) {
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
