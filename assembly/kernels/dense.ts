// Dense matrices as the file stores them x f32 activations: small models, heads kept as stored.
import { dotF32, loadF16x4, sumF32 } from '../simd';

/**
 * y[t][r] (+)= sum_k w[r,k] * x[t,k]              rows [begin, end)
 *   w [rows, cols] f32, row-major     x [T, xStride] f32     y [T, yStride] f32; add: 1 adds to it
 *   cols a multiple of 4     tokens: address of the range [first, end)
 * Order of the sum: dotF32. Bytes moved: 4 * rows * cols.
 */
export function matmulF32(
  w: usize, x: usize, y: usize, cols: i32, xStride: i32, yStride: i32, add: i32, tokens: usize, begin: i32, end: i32,
): void {
  for (let r = begin; r < end; r++) rowTimesTokens(w + ((<usize>r * cols) << 2), x, y, r, cols, xStride, yStride, add, tokens);
}

@inline function rowTimesTokens(
  row: usize, x: usize, y: usize, r: i32, cols: i32, xStride: i32, yStride: i32, add: i32, tokens: usize,
): void {
  for (let t = load<i32>(tokens), last = load<i32>(tokens, 4); t < last; t++) {
    const o = y + ((<usize>t * yStride + r) << 2), v = dotF32(row, x + ((<usize>t * xStride) << 2), cols);
    store<f32>(o, add ? load<f32>(o) + v : v);
  }
}

/** As matmulF32, w [rows, cols] f16. scratch: 4 * cols bytes, where a row is widened once for all tokens. */
export function matmulF16(
  w: usize, x: usize, y: usize, cols: i32, xStride: i32, yStride: i32, add: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  for (let r = begin; r < end; r++) {
    let p = w + ((<usize>r * cols) << 1), d = scratch;
    for (const e = d + (<usize>cols << 2); d < e; d += 16, p += 8) v128.store(d, loadF16x4(p));
    rowTimesTokens(scratch, x, y, r, cols, xStride, yStride, add, tokens);
  }
}

/**
 * As matmulF32, w [rows, cols] i8 with a scale [rows, cols / blockCols] f32 per block (Q8_0: 32, Q6_K: 16).
 * Within a block four lane sums, scaled, added to the lanes of the row. blockCols a multiple of 16.
 */
export function matmulI8Block(
  w: usize, scales: usize, x: usize, y: usize, cols: i32, blockCols: i32, xStride: i32, yStride: i32, add: i32,
  tokens: usize, begin: i32, end: i32,
): void {
  const first = load<i32>(tokens), last = load<i32>(tokens, 4), blocks = cols / blockCols;
  for (let r = begin; r < end; r++) {
    for (let t = first; t < last; t++) {
      let p = w + <usize>r * cols, s = scales + ((<usize>r * blocks) << 2), a = x + ((<usize>t * xStride) << 2);
      let sum = f32x4.splat(0);
      for (const e = p + cols; p < e; s += 4) {
        let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
        for (const b = p + blockCols; p < b; p += 16, a += 64) {
          const v = v128.load(p), low = i16x8.extend_low_i8x16_s(v), high = i16x8.extend_high_i8x16_s(v);
          s0 = f32x4.add(s0, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(low)), v128.load(a)));
          s1 = f32x4.add(s1, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(low)), v128.load(a, 16)));
          s2 = f32x4.add(s2, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(high)), v128.load(a, 32)));
          s3 = f32x4.add(s3, f32x4.mul(f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(high)), v128.load(a, 48)));
        }
        sum = f32x4.add(sum, f32x4.mul(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)), v128.load32_splat(s)));
      }
      const o = y + ((<usize>t * yStride + r) << 2), v = sumF32(sum);
      store<f32>(o, add ? load<f32>(o) + v : v);
    }
  }
}
