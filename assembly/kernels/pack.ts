// Weights into our packings, at load: docs/PACKING.md draws them.
import { loadF16x4, maxF32 } from '../simd';

/** Row i of eight, 16 columns: the codes of rows i, i + 8, i + 16, i + 24 in the four fields. */
@inline function fields(p: usize, row: usize): v128 {
  return v128.or(
    v128.or(v128.load(p), i8x16.shl(v128.load(p + 8 * row), 2)),
    v128.or(i8x16.shl(v128.load(p + 16 * row), 4), i8x16.shl(v128.load(p + 24 * row), 6)),
  );
}

/** Four rows of four quads of columns -> four times a quad of four rows, 32 bytes apart. */
@inline function storeQuads(a: v128, b: v128, c: v128, d: v128, w: usize): void {
  const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(w, i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
  v128.store(w, i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 32);
  v128.store(w, i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 64);
  v128.store(w, i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 96);
}

/** codes [32, cols] u8 (0, 1, 2), row-major -> w: one V32 block of 32 rows, cols * 8 bytes. cols a multiple of 16. */
export function packV32(codes: usize, w: usize, cols: i32): void {
  const row: usize = cols;
  for (const e = codes + cols; codes < e; codes += 16, w += 128) {
    const p = codes + 4 * row;
    storeQuads(fields(codes, row), fields(codes + row, row), fields(codes + 2 * row, row), fields(codes + 3 * row, row), w);
    storeQuads(fields(p, row), fields(p + row, row), fields(p + 2 * row, row), fields(p + 3 * row, row), w + 16);
  }
}

/** Bit j of byte i of v becomes bit i of byte j. */
@inline function transposeBits(v: u64): u64 {
  let t = (v ^ (v >> 7)) & 0x00aa00aa00aa00aa;
  v ^= t ^ (t << 7);
  t = (v ^ (v >> 14)) & 0x0000cccc0000cccc;
  v ^= t ^ (t << 14);
  t = (v ^ (v >> 28)) & 0x00000000f0f0f0f0;
  return v ^ t ^ (t << 28);
}

/** bits [32, cols / 8] row-major, lowest first, 1 is +1 -> w: one B32 block of 32 rows, cols * 4 bytes. cols a multiple of 8. */
export function packB32(bits: usize, w: usize, cols: i32): void {
  const row = <usize>cols >> 3;
  for (const e = bits + row; bits < e; bits++, w += 32) {
    for (let lane: usize = 0; lane < 4; lane++) {
      let v: u64 = 0;
      for (let f: usize = 0; f < 8; f++) v |= <u64>load<u8>(bits + (4 * f + lane) * row) << (f << 3);
      v = transposeBits(v);
      store<u32>(w + (lane << 2), <u32>v);
      store<u32>(w + (lane << 2), <u32>(v >> 32), 16);
    }
  }
}

/**
 * x [16, cols] f32, row-major -> w: one H16 block, 16 * cols bytes; scales [16] f32 = max |row| / 127.
 * u8 = 128 + round_half_even(x * (127 / max |row|)). cols a multiple of 4. Gives 0 if a number is not finite, else 1.
 */
export function packH16(x: usize, w: usize, scales: usize, cols: i32): i32 {
  return pack16Rows(x, w, scales, cols, false);
}

/** As packH16, x [16, cols] f16. */
export function packH16F16(x: usize, w: usize, scales: usize, cols: i32): i32 {
  return pack16Rows(x, w, scales, cols, true);
}

/** Four numbers from the k-th on. */
@inline function four(row: usize, k: i32, f16: bool): v128 {
  return f16 ? loadF16x4(row + (<usize>k << 1)) : v128.load(row + (<usize>k << 2));
}

@inline function pack16Rows(x: usize, w: usize, scales: usize, cols: i32, f16: bool): i32 {
  // loadF16x4 makes infinities and NaNs of f16 numbers from 65536 on.
  const limit = f32x4.splat(f16 ? 65536 : Infinity);
  let finite = i32x4.splat(-1);
  for (let r: usize = 0; r < 16; r++) {
    const row = x + r * <usize>cols * (f16 ? 2 : 4);
    let m = f32x4.splat(0);
    for (let k = 0; k < cols; k += 4) {
      const a = f32x4.abs(four(row, k, f16));
      finite = v128.and(finite, f32x4.lt(a, limit));
      m = f32x4.pmax(m, a);
    }
    const most = maxF32(m);
    // A row this small is zeros: 127 / most would overflow below 4e-37, and no activation makes such a row matter.
    const scale = most / <f32>127.0, inverse = f32x4.splat(most > 1e-30 ? <f32>127.0 / most : 0);
    store<f32>(scales + (r << 2), scale);
    let d = w + (r << 2);
    for (let k = 0; k < cols; k += 4, d += 64) {
      const q = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(four(row, k, f16), inverse)));
      const u = i32x4.add(q, i32x4.splat(128)), h = i16x8.narrow_i32x4_u(u, u);
      v128.store32_lane(d, i8x16.narrow_i16x8_u(h, h), 0);
    }
  }
  return i32x4.all_true(finite) ? 1 : 0;
}
