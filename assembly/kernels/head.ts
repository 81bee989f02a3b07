// The head in two steps, the first: estimates of all logits from the high nibbles, half of what the int8 head reads.
// head-refine.ts makes those that matter exact.
import { ROW_SUMS_BYTES } from '../layout';
import { sumI32 } from '../simd';
import { blockSums } from './ternary';

/**
 * How far a logit is taken to be from its estimate at most, in units of |x| * scale: sum (l - 7.5) x has the standard
 * deviation 4.61 |x| if the low nibbles l are as good as random, and this is 6 of them. A bound that always holds, 7.5 for
 * every column, would be 50 times as far. headThreshold looks for signs that they are not random.
 */
const REACH: f32 = 28;

export const LOW_NIBBLES: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]);
export const LOW_BYTE: usize = memory.data<u16>([255, 255, 255, 255, 255, 255, 255, 255]);
export const LOW_NIBBLE: usize = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15]);

/** Of a token, 16 bytes in scratch: the sum of its activations i32, its scale f32, its reach f32. */
export const FACTS_BYTES: usize = 16;

/** Writes a token's facts: q [cols] i8. */
export function factsOf(q: usize, qScale: usize, cols: i32, facts: usize): void {
  blockSums(q, cols, cols, facts);
  let squares = i32x4.splat(0);
  for (let p = q, e = q + cols; p < e; p += 8) {
    const v = v128.load_ext<i8>(p);
    squares = i32x4.add(squares, i32x4.dot_i16x8_s(v, v));
  }
  const s = load<f32>(qScale);
  store<f32>(facts, s, 4);
  store<f32>(facts, (REACH * sqrt<f32>(<f32>sumI32(squares))) / s, 8);
}

@inline export function dot(codes: v128, q: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.relaxed_dot_i8x16_i7x16_add_s(q, codes, sum) : sum;
}

/** Estimates of 32 rows from their sums, and the block's greatest estimate and greatest bound. */
function estimate(sums: usize, scales: usize, y: usize, peak: usize, facts: usize): void {
  // 16 h + 7.5 - 128, twice: the sum stays an integer.
  const bias = i32x4.splat(241 * load<i32>(facts)), s = f32x4.splat(2 * load<f32>(facts, 4));
  const reach = v128.load32_splat(facts, 8);
  let most = f32x4.splat(-Infinity), bound = most;
  for (const e = sums + 128; sums < e; sums += 16, scales += 16, y += 16) {
    const scale = v128.load(scales);
    const d = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shl(v128.load(sums), 5), bias));
    const v = f32x4.div(f32x4.mul(d, scale), s);
    v128.store(y, v);
    most = f32x4.max(most, v);
    bound = f32x4.max(bound, f32x4.add(v, f32x4.mul(scale, reach)));
  }
  store<f32>(peak, maxLane(most));
  store<f32>(peak, maxLane(bound), 4);
}

@inline function maxLane(v: v128): f32 {
  const t = f32x4.max(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return max<f32>(f32x4.extract_lane(t, 0), f32x4.extract_lane(t, 1));
}

/**
 * sums[t][r] = sum_k h[r,k] * q[t,k], exact, and y[t][r] = scale[r] * (16 sums - 120.5 sum_k q[t,k]) / qScale[t], what the
 * int8 head gives within the reach of its low nibbles                                              rows [begin, end)
 *   high   [rows, cols] u4, packing H4 (head-pack.ts); rows padded to 32, cols to 32     scales [rows] f32
 *   q      [T, cols] i8, |q| <= 127     qScale [T] f32
 *   sums   [T, yStride] i32     y [T, yStride] f32     yStride a multiple of 32
 *   peaks  [T, yStride / 32, 2] f32: of each 32 rows the greatest y, and the greatest y + reach
 *   tokens address of the range [first, end), at most ROW_TOKENS     scratch ROW_SUMS_BYTES
 * Bytes moved: rows * cols / 2. Reference: test/ref/head.ts
 */
export function matmulHead4Dot(
  high: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, cols: i32, yStride: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4);
  for (let t = first; t < last; t++)
    factsOf(q + <usize>t * cols, qScale + (t << 2), cols, scratch + <usize>(t - first) * FACTS_BYTES);
  const m = v128.load(LOW_NIBBLES);
  for (let r = begin; r < end; r += 32) {
    for (let t = first; t < last; t++) {
      const at = <usize>t * yStride + r, to = sums + (at << 2);
      let b = high + <usize>r * (cols >> 1);
      for (let half: usize = 0; half < 128; half += 64) {
        let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
        let x: v128, p = q + <usize>t * cols;
        for (const e = p + cols; p < e; b += 64, p += 8) {
          const a0 = v128.load32_splat(p), a1 = v128.load32_splat(p, 4);
          x = v128.load(b);
          s0 = dot(v128.and(x, m), a0, s0);
          t0 = dot(v128.and(i16x8.shr_u(x, 4), m), a1, t0);
          x = v128.load(b, 16);
          s1 = dot(v128.and(x, m), a0, s1);
          t1 = dot(v128.and(i16x8.shr_u(x, 4), m), a1, t1);
          x = v128.load(b, 32);
          s2 = dot(v128.and(x, m), a0, s2);
          t2 = dot(v128.and(i16x8.shr_u(x, 4), m), a1, t2);
          x = v128.load(b, 48);
          s3 = dot(v128.and(x, m), a0, s3);
          t3 = dot(v128.and(i16x8.shr_u(x, 4), m), a1, t3);
        }
        v128.store(to + half, i32x4.add(s0, t0));
        v128.store(to + half, i32x4.add(s1, t1), 16);
        v128.store(to + half, i32x4.add(s2, t2), 32);
        v128.store(to + half, i32x4.add(s3, t3), 48);
      }
      estimate(to, scales + (r << 2), y + (at << 2), peaks + ((at >> 5) << 3), scratch + <usize>(t - first) * FACTS_BYTES);
    }
  }
}

@inline function dot16(codes: v128, q: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i16x8.relaxed_dot_i8x16_i7x16_s(q, codes) : q;
}

@inline function pair16(x: v128, m: v128, a0: v128, a1: v128, sum: v128): v128 {
  return i16x8.add(sum, i16x8.add(dot16(v128.and(x, m), a0), dot16(v128.and(i16x8.shr_u(x, 4), m), a1)));
}

/** As matmulHead4Dot where the i32 relaxed dot is emulated: same arguments, same bits. */
export function matmulHead4I16(
  high: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, cols: i32, yStride: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4);
  for (let t = first; t < last; t++)
    factsOf(q + <usize>t * cols, qScale + (t << 2), cols, scratch + <usize>(t - first) * FACTS_BYTES);
  const m = v128.load(LOW_NIBBLES);
  for (let r = begin; r < end; r += 32) {
    for (let t = first; t < last; t++) {
      const at = <usize>t * yStride + r, to = sums + (at << 2);
      let b = high + <usize>r * (cols >> 1);
      for (let half: usize = 0; half < 128; half += 64) {
        let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, p = q + <usize>t * cols;
        for (const e = p + cols; p < e; ) {
          let t0 = i16x8.splat(0), t1 = t0, t2 = t0, t3 = t0;
          // 32 columns: 8 dots of at most 2 * 15 * 127 fit an i16 lane (30480).
          for (const f = p + 32; p < f; b += 64, p += 8) {
            const a0 = v128.load32_splat(p), a1 = v128.load32_splat(p, 4);
            t0 = pair16(v128.load(b), m, a0, a1, t0);
            t1 = pair16(v128.load(b, 16), m, a0, a1, t1);
            t2 = pair16(v128.load(b, 32), m, a0, a1, t2);
            t3 = pair16(v128.load(b, 48), m, a0, a1, t3);
          }
          s0 = i32x4.add(s0, i32x4.extadd_pairwise_i16x8_s(t0));
          s1 = i32x4.add(s1, i32x4.extadd_pairwise_i16x8_s(t1));
          s2 = i32x4.add(s2, i32x4.extadd_pairwise_i16x8_s(t2));
          s3 = i32x4.add(s3, i32x4.extadd_pairwise_i16x8_s(t3));
        }
        v128.store(to + half, s0);
        v128.store(to + half, s1, 16);
        v128.store(to + half, s2, 32);
        v128.store(to + half, s3, 48);
      }
      estimate(to, scales + (r << 2), y + (at << 2), peaks + ((at >> 5) << 3), scratch + <usize>(t - first) * FACTS_BYTES);
    }
  }
}

/**
 * q [cols] i8 -> factors [cols / 8, 4, 2] i16 of the nibbles in a lane of 16 bits. For columns a and b in the low and the
 * high nibble of a byte, 16 (a q_a + b q_b) = (a + 16 b) q_b + a (16 q_a - q_b): the byte is one operand as it is.
 * In this order: q of columns 4 6, 5 7; 16 q of columns 0 2, 1 3 less those.
 */
export function nibbleFactors(q: usize, factors: usize, cols: i32): void {
  for (const e = q + cols; q < e; q += 8, factors += 16) {
    const v = v128.load_ext<i8>(q);
    const b = i8x16.shuffle(v, v, 8, 9, 12, 13, 10, 11, 14, 15, 8, 9, 12, 13, 10, 11, 14, 15);
    const a = i8x16.shuffle(v, v, 0, 1, 4, 5, 2, 3, 6, 7, 0, 1, 4, 5, 2, 3, 6, 7);
    const c = i16x8.sub(i16x8.shl(a, 4), b);
    v128.store(factors, i8x16.shuffle(b, c, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  }
}

/** 16 times the sums of two nibbles a byte. */
@inline export function dotNibbles(x: v128, byte: v128, nibble: v128, f0: v128, f1: v128, f2: v128, f3: v128): v128 {
  const z = i16x8.shr_u(x, 8);
  return i32x4.add(
    i32x4.add(i32x4.dot_i16x8_s(v128.and(x, byte), f0), i32x4.dot_i16x8_s(z, f1)),
    i32x4.add(i32x4.dot_i16x8_s(v128.and(x, nibble), f2), i32x4.dot_i16x8_s(v128.and(z, nibble), f3)),
  );
}

/** As matmulHead4Dot in baseline SIMD: same arguments, same bits. Scratch: 2 * ROW_TOKENS * cols bytes more. */
export function matmulHead4Wide(
  high: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, cols: i32, yStride: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), factors = scratch + ROW_SUMS_BYTES;
  for (let t = first; t < last; t++) {
    factsOf(q + <usize>t * cols, qScale + (t << 2), cols, scratch + <usize>(t - first) * FACTS_BYTES);
    nibbleFactors(q + <usize>t * cols, factors + ((<usize>(t - first) * cols) << 1), cols);
  }
  const byte = v128.load(LOW_BYTE), nibble = v128.load(LOW_NIBBLE);
  for (let r = begin; r < end; r += 32) {
    for (let t = first; t < last; t++) {
      const at = <usize>t * yStride + r, to = sums + (at << 2);
      let b = high + <usize>r * (cols >> 1);
      for (let half: usize = 0; half < 128; half += 64) {
        let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
        let p = factors + ((<usize>(t - first) * cols) << 1);
        for (const e = p + (<usize>cols << 1); p < e; b += 64, p += 16) {
          const f0 = v128.load32_splat(p), f1 = v128.load32_splat(p, 4);
          const f2 = v128.load32_splat(p, 8), f3 = v128.load32_splat(p, 12);
          s0 = i32x4.add(s0, dotNibbles(v128.load(b), byte, nibble, f0, f1, f2, f3));
          s1 = i32x4.add(s1, dotNibbles(v128.load(b, 16), byte, nibble, f0, f1, f2, f3));
          s2 = i32x4.add(s2, dotNibbles(v128.load(b, 32), byte, nibble, f0, f1, f2, f3));
          s3 = i32x4.add(s3, dotNibbles(v128.load(b, 48), byte, nibble, f0, f1, f2, f3));
        }
        v128.store(to + half, i32x4.shr_s(s0, 4));
        v128.store(to + half, i32x4.shr_s(s1, 4), 16);
        v128.store(to + half, i32x4.shr_s(s2, 4), 32);
        v128.store(to + half, i32x4.shr_s(s3, 4), 48);
      }
      estimate(to, scales + (r << 2), y + (at << 2), peaks + ((at >> 5) << 3), scratch + <usize>(t - first) * FACTS_BYTES);
    }
  }
}
