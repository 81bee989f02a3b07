// Ternary matrix x two tokens with relaxed dots: weights are unpacked once for both.
import { finish, flush, MASK_0, MASK_1 } from './ternary';

/** Four products a lane, in i32. The codes 0..8 stand on the 7-bit side, so every engine gives the same exact sum. */
@inline export function dotI32(codes: v128, q: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.relaxed_dot_i8x16_i7x16_add_s(q, codes, sum) : sum;
}

/** Two products a lane, summed in i16: 16 dots of at most 8 * 127 * 2 fit (32512), the 64 columns of SHORT_SPAN. */
@inline export function dotI16(codes: v128, q: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i16x8.add(sum, i16x8.relaxed_dot_i8x16_i7x16_s(q, codes)) : sum;
}

export const SHORT_SPAN: i32 = 64;
/** Weights of so many columns (4 KB) are still in the first-level cache when they are read again. */
const SPAN: i32 = 512;

/** into[offset] += i16 sums, in i32. */
@inline export function widen(into: usize, offset: usize, v: v128): void {
  v128.store(into + offset, i32x4.add(v128.load(into + offset), i32x4.extadd_pairwise_i16x8_s(v)));
}

@inline function dot(codes: v128, q: v128, sum: v128, shorts: bool): v128 {
  return shorts ? dotI16(codes, q, sum) : dotI32(codes, q, sum);
}

@inline function addSums(into: usize, offset: usize, sum: v128, shorts: bool): void {
  if (shorts) widen(into, offset, sum);
  else v128.store(into + offset, i32x4.add(v128.load(into + offset), sum));
}

/** ints [2][32] i32 += one vector of each block x tokens `tokenBytes` apart. The sums of both would not fit. */
@inline function half(
  b: usize, p: usize, tokenBytes: usize, cols: i32, m0: v128, m1: v128, ints: usize, shorts: bool,
): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  for (const e = p + cols; p < e; b += 32, p += 4) {
    const a = v128.load32_splat(p), c = v128.load32_splat(p + tokenBytes);
    let x = v128.load(b), u = v128.and(x, m0);
    s0 = dot(u, a, s0, shorts);
    t0 = dot(u, c, t0, shorts);
    u = v128.and(x, m1);
    s1 = dot(u, a, s1, shorts);
    t1 = dot(u, c, t1, shorts);
    x = i16x8.shr_u(x, 4);
    u = v128.and(x, m0);
    s2 = dot(u, a, s2, shorts);
    t2 = dot(u, c, t2, shorts);
    u = v128.and(x, m1);
    s3 = dot(u, a, s3, shorts);
    t3 = dot(u, c, t3, shorts);
  }
  addSums(ints, 0, s0, shorts);
  addSums(ints, 32, s1, shorts);
  addSums(ints, 64, s2, shorts);
  addSums(ints, 96, s3, shorts);
  addSums(ints, 128, t0, shorts);
  addSums(ints, 160, t1, shorts);
  addSums(ints, 192, t2, shorts);
  addSums(ints, 224, t3, shorts);
}

/** acc [32] += the dots [32] of a block; odd fields are four times too large. */
@inline export function flushFields(acc: usize, dots: usize, sum: v128, scales: usize): void {
  for (let o: usize = 0; o < 128; o += 64) {
    flush(acc, o, v128.load(dots + o), 0, sum, scales);
    flush(acc, o + 16, v128.load(dots + o, 16), 0, sum, scales);
    flush(acc, o + 32, v128.load(dots + o, 32), 2, sum, scales);
    flush(acc, o + 48, v128.load(dots + o, 48), 2, sum, scales);
  }
}

/**
 * 32 rows x two tokens. b, scale: the rows'; q, qScale, y and sums [2][cols / blockCols]: the first token's.
 * shorts: sums in i16, as matmulTernaryI16 has them. Scratch: 512 bytes.
 */
@inline export function twoTokens(
  b: usize, scale: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, strideBytes: usize, add: i32,
  sums: usize, scratch: usize, shorts: bool,
): void {
  const m0 = v128.load(MASK_0), m1 = v128.load(MASK_1), ints = scratch + 256, sumBytes = <usize>(cols / blockCols) << 2;
  memory.fill(scratch, 0, 256);
  for (let k = 0; k < cols; scale += 128, sums += 4) {
    memory.fill(ints, 0, 256);
    for (const end = k + blockCols; k < end; ) {
      const n = min(shorts ? SHORT_SPAN : SPAN, end - k);
      for (let h: usize = 0; h < 32; h += 16) half(b + h, q, cols, n, m0, m1, ints + h, shorts);
      b += <usize>n << 3;
      q += n;
      k += n;
    }
    flushFields(scratch, ints, v128.load32_splat(sums), scale);
    flushFields(scratch + 128, ints + 128, v128.load32_splat(sums + sumBytes), scale);
  }
  finish(scratch, y, load<f32>(qScale), add);
  finish(scratch + 128, y + strideBytes, load<f32>(qScale, 4), add);
}
