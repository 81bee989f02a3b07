// Rows of the embedding matrix, one for each token id, as f32. One kernel per packing of the matrix.
import { loadF16x4 } from '../simd';

/**
 * x[t] = w[ids[t]]                          tokens [begin, end)
 *   w   [vocab, dim] f32
 *   ids [T] i32, all below vocab (the host checks)     x [T, xStride] f32     dim a multiple of 4
 */
export function embedF32(w: usize, ids: usize, x: usize, dim: i32, xStride: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++)
    memory.copy(x + ((<usize>t * xStride) << 2), w + <usize>load<i32>(ids + (t << 2)) * (dim << 2), <usize>dim << 2);
}

/** As embedF32, w [vocab, dim] f16. */
export function embedF16(w: usize, ids: usize, x: usize, dim: i32, xStride: i32, begin: i32, end: i32): void {
  for (let t = begin; t < end; t++) {
    let p = w + <usize>load<i32>(ids + (t << 2)) * (dim << 1), d = x + ((<usize>t * xStride) << 2);
    for (const e = d + (<usize>dim << 2); d < e; d += 16, p += 8) v128.store(d, loadF16x4(p));
  }
}

/** As embedF32, w [vocab, dim] i8 with a scale [vocab, dim / blockCols] f32 per block. blockCols a multiple of 4. */
export function embedI8Block(
  w: usize, scales: usize, ids: usize, x: usize, dim: i32, blockCols: i32, xStride: i32, begin: i32, end: i32,
): void {
  for (let t = begin; t < end; t++) {
    const row: usize = load<i32>(ids + (t << 2));
    let p = w + row * dim, s = scales + ((row * (dim / blockCols)) << 2), d = x + ((<usize>t * xStride) << 2);
    for (const e = p + dim; p < e; s += 4) {
      const scale = v128.load32_splat(s);
      for (const b = p + blockCols; p < b; p += 4, d += 16) {
        const q = i32x4.extend_low_i16x8_s(i16x8.extend_low_i8x16_s(v128.load32_zero(p)));
        v128.store(d, f32x4.mul(f32x4.convert_i32x4_s(q), scale));
      }
    }
  }
}

/** As embedF32, w in packing H16 with a scale [vocab] f32 per row. cols = dim padded to COLS_ALIGN. */
export function embedI8Row(
  w: usize, scales: usize, ids: usize, x: usize, dim: i32, cols: i32, xStride: i32, begin: i32, end: i32,
): void {
  const bias = i32x4.splat(128);
  for (let t = begin; t < end; t++) {
    const row: usize = load<i32>(ids + (t << 2));
    const scale = v128.load32_splat(scales + (row << 2));
    let p = w + ((row & ~15) * cols) + ((row & 15) << 2), d = x + ((<usize>t * xStride) << 2);
    for (const e = d + (<usize>dim << 2); d < e; p += 64, d += 16) {
      const q = i32x4.sub(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(v128.load32_zero(p))), bias);
      v128.store(d, f32x4.mul(f32x4.convert_i32x4_s(q), scale));
    }
  }
}

/** As embedF32, w in packing V32 with scales [vocab / 32, cols / blockCols, 32] f32. dim a multiple of 4. */
export function embedTernary(
  w: usize, scales: usize, ids: usize, x: usize, dim: i32, cols: i32, blockCols: i32, xStride: i32, begin: i32, end: i32,
): void {
  const mask = i32x4.splat(0x03030303), one = i32x4.splat(1);
  for (let t = begin; t < end; t++) {
    const row: usize = load<i32>(ids + (t << 2)), group = row >> 5;
    const shift = <i32>((row >> 3) & 3) << 1;
    let p = w + group * (<usize>cols << 3) + (((row >> 2) & 1) << 4) + ((row & 3) << 2);
    let s = scales + ((group * (cols / blockCols)) << 7) + ((row & 31) << 2), d = x + ((<usize>t * xStride) << 2);
    for (let k = 0; k < dim; s += 128) {
      const scale = v128.load32_splat(s);
      for (const e = min(dim, k + blockCols); k < e; k += 4, p += 32, d += 16) {
        const codes = v128.and(i32x4.shr_u(v128.load32_zero(p), shift), mask);
        const q = i32x4.sub(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(codes)), one);
        v128.store(d, f32x4.mul(f32x4.convert_i32x4_s(q), scale));
      }
    }
  }
}

/** As embedF32, w in packing B32 with scales [vocab / 32, cols / blockCols, 32] f16. dim a multiple of 4. */
export function embedBinary(
  w: usize, scales: usize, ids: usize, x: usize, dim: i32, cols: i32, blockCols: i32, xStride: i32, begin: i32, end: i32,
): void {
  const mask = i32x4.splat(0x01010101), one = i32x4.splat(1);
  for (let t = begin; t < end; t++) {
    const row: usize = load<i32>(ids + (t << 2)), group = row >> 5;
    const shift = <i32>((row >> 2) & 7);
    let p = w + group * (<usize>cols << 2) + ((row & 3) << 2);
    let s = scales + ((group * (cols / blockCols)) << 6) + ((row & 31) << 1), d = x + ((<usize>t * xStride) << 2);
    for (let k = 0; k < dim; s += 64) {
      const v = loadF16x4(s & ~7);
      const lane = <i32>(row & 3);
      const scale = f32x4.splat(lane < 2 ? (lane == 0 ? f32x4.extract_lane(v, 0) : f32x4.extract_lane(v, 1)) : lane == 2 ? f32x4.extract_lane(v, 2) : f32x4.extract_lane(v, 3));
      for (const e = min(dim, k + blockCols); k < e; k += 4, p += 16, d += 16) {
        const bits = v128.and(i32x4.shr_u(v128.load32_zero(p), shift), mask);
        const q = i32x4.sub(i32x4.shl(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(bits)), 1), one);
        v128.store(d, f32x4.mul(f32x4.convert_i32x4_s(q), scale));
      }
    }
  }
}
