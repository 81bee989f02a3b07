// Ternary matrix x few tokens where the i32 relaxed dot is emulated: the i16 one, widened every 64 columns.
import { ROW_SUMS_BYTES } from '../layout';
import { blockSums, finish, MASK_0, MASK_1 } from './ternary';
import { dotI16 as dot, flushFields, SHORT_SPAN, twoTokens, widen } from './ternary-two';

/** A function of its own: the loop for a single token keeps its registers. */
function two(
  b: usize, scale: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, strideBytes: usize, add: i32,
  sums: usize, scratch: usize,
): void {
  twoTokens(b, scale, q, qScale, y, cols, blockCols, strideBytes, add, sums, scratch, true);
}

/** As matmulTernaryDot: same arguments, same bits. */
export function matmulTernaryI16(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols;
  const sums = scratch + ROW_SUMS_BYTES, ints = scratch + 128;
  for (let t = first; t < last; t++) blockSums(q + <usize>t * cols, cols, blockCols, sums + ((<usize>(t - first) * blocks) << 2));
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
        memory.fill(ints, 0, 128);
        for (const e = p + blockCols; p < e; ) {
          let s0 = i16x8.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
          let x: v128, f = p + SHORT_SPAN;
          if (f > e) f = e;
          for (; p < f; b += 32, p += 4) {
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
          // In this order: V8 12 schedules the loop by the order of uses, and spilled a sum when s and t alternated (0.69x).
          widen(ints, 0, s0);
          widen(ints, 32, s1);
          widen(ints, 64, s2);
          widen(ints, 96, s3);
          widen(ints, 16, t0);
          widen(ints, 48, t1);
          widen(ints, 80, t2);
          widen(ints, 112, t3);
        }
        flushFields(scratch, ints, v128.load32_splat(sum), scale);
      }
      finish(scratch, y + ((<usize>t * yStride + r) << 2), load<f32>(qScale + (t << 2)), add);
    }
  }
}
