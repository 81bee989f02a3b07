// Ternary matrix x few tokens where V8's revectorizer makes one 256-bit instruction of two adjacent 128-bit ones. Eight
// such accumulators hide the latency of the dot: two groups of four columns at a time, 16 vectors that would not fit in
// registers of 128 bits.
import { ROW_SUMS_BYTES } from '../layout';
import { blockSums, finish, flush, MASK_0, MASK_1 } from './ternary';
import { dotI32 as dot } from './ternary-two';

/** As matmulTernaryDot: same arguments, same bits. Scratch: ROW_SUMS_BYTES holds the integer sums too. */
export function matmulTernaryPaired(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols;
  const sums = scratch + ROW_SUMS_BYTES;
  for (let t = first; t < last; t++) blockSums(q + <usize>t * cols, cols, blockCols, sums + ((<usize>(t - first) * blocks) << 2));
  const m0 = v128.load(MASK_0), m1 = v128.load(MASK_1), zero = i32x4.splat(0);
  for (let r = begin; r < end; r += 32) {
    for (let t = first; t < last; t++) {
      memory.fill(scratch, 0, 128);
      let b = w + ((<usize>r * cols) >> 2), p = q + <usize>t * cols;
      let scale = scales + ((<usize>r * blocks) << 2), sum = sums + ((<usize>(t - first) * blocks) << 2);
      for (let k = 0; k < blocks; k++, scale += 128, sum += 4) {
        let s0 = zero, s1 = zero, s2 = zero, s3 = zero, t0 = zero, t1 = zero, t2 = zero, t3 = zero;
        let u0 = zero, u1 = zero, u2 = zero, u3 = zero, v0 = zero, v1 = zero, v2 = zero, v3 = zero;
        for (const e = p + blockCols; p < e; b += 64, p += 8) {
          let a = v128.load32_splat(p), x = v128.load(b), z = v128.load(b, 16);
          s0 = dot(v128.and(x, m0), a, s0);
          t0 = dot(v128.and(z, m0), a, t0);
          s1 = dot(v128.and(x, m1), a, s1);
          t1 = dot(v128.and(z, m1), a, t1);
          x = i16x8.shr_u(x, 4);
          z = i16x8.shr_u(z, 4);
          s2 = dot(v128.and(x, m0), a, s2);
          t2 = dot(v128.and(z, m0), a, t2);
          s3 = dot(v128.and(x, m1), a, s3);
          t3 = dot(v128.and(z, m1), a, t3);
          a = v128.load32_splat(p, 4);
          x = v128.load(b, 32);
          z = v128.load(b, 48);
          u0 = dot(v128.and(x, m0), a, u0);
          v0 = dot(v128.and(z, m0), a, v0);
          u1 = dot(v128.and(x, m1), a, u1);
          v1 = dot(v128.and(z, m1), a, v1);
          x = i16x8.shr_u(x, 4);
          z = i16x8.shr_u(z, 4);
          u2 = dot(v128.and(x, m0), a, u2);
          v2 = dot(v128.and(z, m0), a, v2);
          u3 = dot(v128.and(x, m1), a, u3);
          v3 = dot(v128.and(z, m1), a, v3);
        }
        const d = scratch + 128;
        v128.store(d, i32x4.add(s0, u0));
        v128.store(d, i32x4.add(t0, v0), 16);
        v128.store(d, i32x4.shr_s(i32x4.add(s1, u1), 2), 32);
        v128.store(d, i32x4.shr_s(i32x4.add(t1, v1), 2), 48);
        v128.store(d, i32x4.add(s2, u2), 64);
        v128.store(d, i32x4.add(t2, v2), 80);
        v128.store(d, i32x4.shr_s(i32x4.add(s3, u3), 2), 96);
        v128.store(d, i32x4.shr_s(i32x4.add(t3, v3), 2), 112);
        const z = v128.load32_splat(sum);
        for (let o: usize = 0; o < 128; o += 16) flush(scratch, o, v128.load(d + o), 0, z, scale);
      }
      finish(scratch, y + ((<usize>t * yStride + r) << 2), load<f32>(qScale + (t << 2)), add);
    }
  }
}
