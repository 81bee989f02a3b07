// Ternary matrix x few tokens where i32x4.relaxed_dot_i8x16_i7x16_add_s is one instruction.
import { ROW_SUMS_BYTES } from '../layout';
import { blockSums, finish, flush, MASK_0, MASK_1 } from './ternary';
import { dotI32 as dot, twoTokens } from './ternary-two';

/** A function of its own: the loop for a single token keeps its registers. */
function two(
  b: usize, scale: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, strideBytes: usize, add: i32,
  sums: usize, scratch: usize,
): void {
  twoTokens(b, scale, q, qScale, y, cols, blockCols, strideBytes, add, sums, scratch, false);
}

/**
 * y[t][r] (+)= sum_b scale[r,b] * (sum_{k in b} w[r,k] * q[t,k]) / qScale[t]          rows [begin, end)
 *   w       [rows, cols] ternary, packing V32 (docs/PACKING.md); rows padded to 32, cols to 32
 *   scales  [rows / 32, cols / blockCols, 32] f32
 *   q       [T, cols] i8, |q| <= 127     qScale [T] f32: x_real = q / qScale
 *   y       [T, yStride] f32; add: 1 adds to it     tokens: address of the range [first, end), at most ROW_TOKENS
 *   scratch ROW_SUMS_BYTES + 4 * ROW_TOKENS * cols / blockCols bytes
 * Exact in i32 within a block; f32 sums over blocks in rising order. Bytes moved: rows * cols / 4.
 * Source: BitNet b1.58 (arXiv 2402.17764), section 2. Reference: test/ref/matmul.ts
 */
export function matmulTernaryDot(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols;
  const sums = scratch + ROW_SUMS_BYTES;
  for (let t = first; t < last; t++) blockSums(q + <usize>t * cols, cols, blockCols, sums + ((<usize>(t - first) * blocks) << 2));
  // Loaded, not constant: V8 would build a constant anew at each use.
  const m0 = v128.load(MASK_0), m1 = v128.load(MASK_1);
  for (let r = begin; r < end; r += 32) {
    let t = first;
    for (; t + 1 < last; t += 2)
      two(
        w + ((<usize>r * cols) >> 2), scales + ((<usize>r * blocks) << 2), q + <usize>t * cols, qScale + (t << 2),
        y + ((<usize>t * yStride + r) << 2), cols, blockCols, <usize>yStride << 2, add,
        sums + ((<usize>(t - first) * blocks) << 2), scratch,
      );
    if (t < last) {
      memory.fill(scratch, 0, 128);
      let b = w + ((<usize>r * cols) >> 2), p = q + <usize>t * cols;
      let scale = scales + ((<usize>r * blocks) << 2), sum = sums + ((<usize>(t - first) * blocks) << 2);
      for (let k = 0; k < blocks; k++, scale += 128, sum += 4) {
        let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
        let x: v128;
        for (const e = p + blockCols; p < e; b += 32, p += 4) {
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
        const z = v128.load32_splat(sum);
        flush(scratch, 0, s0, 0, z, scale);
        flush(scratch, 16, t0, 0, z, scale);
        flush(scratch, 32, s1, 2, z, scale);
        flush(scratch, 48, t1, 2, z, scale);
        flush(scratch, 64, s2, 0, z, scale);
        flush(scratch, 80, t2, 0, z, scale);
        flush(scratch, 96, s3, 2, z, scale);
        flush(scratch, 112, t3, 2, z, scale);
      }
      finish(scratch, y + ((<usize>t * yStride + r) << 2), load<f32>(qScale + (t << 2)), add);
    }
  }
}
