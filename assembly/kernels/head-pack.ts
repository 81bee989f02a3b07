// The int8 head in two planes of nibbles (packing H4): written at load, and read back a row at a time.
import { loadF16x4, maxF32 } from '../simd';

const NIBBLES: u32 = 0x0f0f0f0f;

/**
 * x [16, cols] f32, row-major -> scales [16] f32 = max |row| / 127 and u8 = 128 + round_half_even(x * (127 / max |row|)),
 * as packH16 has them, the high nibbles of u apart from the low ones: 8 * cols bytes each. cols a multiple of 8.
 *   high  one block of 16 rows: 8 columns of a row are 4 bytes, those of the next row follow; then the next 8 columns
 *   low   [16, cols / 2] row-major, the same 4 bytes for 8 columns
 * Byte j of the 4 has column j in its low nibble and column 4 + j in its high one. Gives 0 if a number is not finite,
 * else 1.
 */
export function packH4(x: usize, high: usize, low: usize, scales: usize, cols: i32): i32 {
  return packPlanes(x, high, low, scales, cols, false);
}

/** As packH4, x [16, cols] f16. */
export function packH4F16(x: usize, high: usize, low: usize, scales: usize, cols: i32): i32 {
  return packPlanes(x, high, low, scales, cols, true);
}

/** Four numbers from the k-th on. */
@inline function four(row: usize, k: i32, f16: bool): v128 {
  return f16 ? loadF16x4(row + (<usize>k << 1)) : v128.load(row + (<usize>k << 2));
}

/** Four columns as the bytes u. */
@inline function quantize(x: v128, inverse: v128): u32 {
  const q = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(x, inverse)));
  const u = i32x4.add(q, i32x4.splat(128)), h = i16x8.narrow_i32x4_u(u, u);
  return i32x4.extract_lane(i8x16.narrow_i16x8_u(h, h), 0);
}

@inline function packPlanes(x: usize, high: usize, low: usize, scales: usize, cols: i32, f16: bool): i32 {
  // loadF16x4 makes infinities and NaNs of f16 numbers from 65536 on.
  const limit = f32x4.splat(f16 ? 65536 : Infinity);
  let finite = i32x4.splat(-1), l = low;
  for (let r: usize = 0; r < 16; r++) {
    const row = x + r * <usize>cols * (f16 ? 2 : 4);
    let m = f32x4.splat(0);
    for (let k = 0; k < cols; k += 4) {
      const a = f32x4.abs(four(row, k, f16));
      finite = v128.and(finite, f32x4.lt(a, limit));
      m = f32x4.pmax(m, a);
    }
    const most = maxF32(m);
    // As packH16: a row this small is zeros.
    const inverse = f32x4.splat(most > 1e-30 ? <f32>127.0 / most : 0);
    store<f32>(scales + (r << 2), most / <f32>127.0);
    let h = high + (r << 2);
    for (let k = 0; k < cols; k += 8, h += 64, l += 4) {
      const a = quantize(four(row, k, f16), inverse), b = quantize(four(row, k + 4, f16), inverse);
      store<u32>(h, ((a >> 4) & NIBBLES) | (b & ~NIBBLES));
      store<u32>(l, (a & NIBBLES) | ((b & NIBBLES) << 4));
    }
  }
  return i32x4.all_true(finite) ? 1 : 0;
}

@inline function storeQuad(x: usize, u: u32, scale: v128): void {
  const q = i32x4.sub(i32x4.extend_low_i16x8_u(i16x8.extend_low_i8x16_u(i32x4.splat(u))), i32x4.splat(128));
  v128.store(x, f32x4.mul(f32x4.convert_i32x4_s(q), scale));
}

/**
 * x[t] = w[ids[t]], the bits of embedI8Row                tokens [begin, end)
 *   high, low  [vocab, cols] u4, packing H4     scales [vocab] f32     ids [T] i32, all below vocab (the host checks)
 *   x          [T, xStride] f32     dim a multiple of 4, cols = dim padded to COLS_ALIGN
 */
export function embedH4(
  high: usize, low: usize, scales: usize, ids: usize, x: usize, dim: i32, cols: i32, xStride: i32,
  begin: i32, end: i32,
): void {
  const rowBytes = <usize>cols >> 1;
  for (let t = begin; t < end; t++) {
    const row: usize = load<i32>(ids + (t << 2));
    const scale = v128.load32_splat(scales + (row << 2));
    let h = high + (row & ~15) * rowBytes + ((row & 15) << 2), l = low + row * rowBytes;
    let d = x + ((<usize>t * xStride) << 2);
    for (const e = d + (<usize>dim << 2); d < e; d += 32, h += 64, l += 4) {
      const a = load<u32>(h), b = load<u32>(l);
      storeQuad(d, ((a & NIBBLES) << 4) | (b & NIBBLES), scale);
      if (d + 16 < e) storeQuad(d + 16, (a & ~NIBBLES) | ((b >> 4) & NIBBLES), scale);
    }
  }
}
