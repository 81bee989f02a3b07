// Ternary matrix x one token in baseline SIMD: i32x4.dot_i16x8_s on the even and the odd columns of a quad.
// Several tokens: ternary-wide-few.ts.
import { ROW_SUMS_BYTES } from '../layout';
import { blockSums, finish, flush, widenQuads } from './ternary';
import { matmulPairs } from './ternary-wide-few';

export const FIELD_0: usize = memory.data<u16>([3, 3, 3, 3, 3, 3, 3, 3]);
export const FIELD_1: usize = memory.data<u16>([12, 12, 12, 12, 12, 12, 12, 12]);
export const FIELD_2: usize = memory.data<u16>([48, 48, 48, 48, 48, 48, 48, 48]);
export const FIELD_3: usize = memory.data<u16>([192, 192, 192, 192, 192, 192, 192, 192]);

@inline function dot(x: v128, y: v128, mask: v128, even: v128, odd: v128, sum: v128): v128 {
  return i32x4.add(
    i32x4.add(sum, i32x4.dot_i16x8_s(v128.and(x, mask), even)),
    i32x4.dot_i16x8_s(v128.and(y, mask), odd),
  );
}

/** As matmulTernaryDot: same arguments, same bits. Scratch: 2 * ROW_TOKENS * cols bytes more. */
export function matmulTernaryWide(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const t = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols;
  if (last - t > 1) matmulPairs(w, scales, q, qScale, y, cols, blockCols, yStride, add, t, last, begin, end, scratch);
  if (last - t != 1) return;
  const sums = scratch + ROW_SUMS_BYTES, wide = sums + (<usize>((blocks + 3) & ~3) << 2);
  blockSums(q + <usize>t * cols, cols, blockCols, sums);
  widenQuads(q + <usize>t * cols, wide, cols);
  const m0 = v128.load(FIELD_0), m1 = v128.load(FIELD_1), m2 = v128.load(FIELD_2), m3 = v128.load(FIELD_3);
  for (let r = begin; r < end; r += 32) {
    memory.fill(scratch, 0, 128);
    let b = w + ((<usize>r * cols) >> 2), p = wide, scale = scales + ((<usize>r * blocks) << 2), sum = sums;
    for (let k = 0; k < blocks; k++, scale += 128, sum += 4) {
      let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
      for (const e = p + (<usize>blockCols << 1); p < e; b += 32, p += 8) {
        const even = v128.load32_splat(p), odd = v128.load32_splat(p, 4);
        let x = v128.load(b), z = i16x8.shr_u(x, 8);
        s0 = dot(x, z, m0, even, odd, s0);
        s1 = dot(x, z, m1, even, odd, s1);
        s2 = dot(x, z, m2, even, odd, s2);
        s3 = dot(x, z, m3, even, odd, s3);
        x = v128.load(b, 16);
        z = i16x8.shr_u(x, 8);
        t0 = dot(x, z, m0, even, odd, t0);
        t1 = dot(x, z, m1, even, odd, t1);
        t2 = dot(x, z, m2, even, odd, t2);
        t3 = dot(x, z, m3, even, odd, t3);
      }
      const z = v128.load32_splat(sum);
      flush(scratch, 0, s0, 0, z, scale);
      flush(scratch, 16, t0, 0, z, scale);
      flush(scratch, 32, s1, 2, z, scale);
      flush(scratch, 48, t1, 2, z, scale);
      flush(scratch, 64, s2, 4, z, scale);
      flush(scratch, 80, t2, 4, z, scale);
      flush(scratch, 96, s3, 6, z, scale);
      flush(scratch, 112, t3, 6, z, scale);
    }
    finish(scratch, y + ((<usize>t * yStride + r) << 2), load<f32>(qScale + (t << 2)), add);
  }
}
