// Weights into our packings, at load: docs/PACKING.md draws them.
import { loadF16x4 } from '../simd';

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

/** Fields 0 and 2 of the bytes of a and b, or 1 and 3, side by side. */
@inline function pairs(p: usize, q: usize, odd: bool): v128 {
  const a = v128.load(p), b = v128.load(q);
  return odd
    ? v128.bitselect(i16x8.shr_u(a, 2), b, i8x16.splat(0x33))
    : v128.bitselect(a, i16x8.shl(b, 2), i8x16.splat(0x33));
}

@inline function lowNibbles(a: v128, b: v128): v128 {
  return v128.bitselect(a, i16x8.shl(b, 4), i8x16.splat(0x0f));
}

@inline function highNibbles(a: v128, b: v128): v128 {
  return v128.bitselect(i16x8.shr_u(a, 4), b, i8x16.splat(0x0f));
}

/** 16 bytes of the rows p + 8 i: fields 0 and 2, or 1 and 3, of four such rows to w and to w + apart. */
@inline function storePlanes(p: usize, row: usize, w: usize, apart: usize, odd: bool): void {
  const eight = row << 3, q = p + 2 * eight;
  const a0 = pairs(p, p + eight, odd), b0 = pairs(q, q + eight, odd);
  const a1 = pairs(p + row, p + eight + row, odd), b1 = pairs(q + row, q + eight + row, odd);
  const a2 = pairs(p + 2 * row, p + eight + 2 * row, odd), b2 = pairs(q + 2 * row, q + eight + 2 * row, odd);
  const a3 = pairs(p + 3 * row, p + eight + 3 * row, odd), b3 = pairs(q + 3 * row, q + eight + 3 * row, odd);
  storeQuads(lowNibbles(a0, b0), lowNibbles(a1, b1), lowNibbles(a2, b2), lowNibbles(a3, b3), w);
  storeQuads(highNibbles(a0, b0), highNibbles(a1, b1), highNibbles(a2, b2), highNibbles(a3, b3), w + apart);
}

/**
 * As packV32, of codes as files have them: a byte holds those of the columns j, j + quarter, j + 2 quarter, j + 3 quarter,
 * the first in its lowest bits, or in its highest.
 *   bytes  32 rows; a row is blocks of `spans` times `quarter` bytes, then `gap` bytes of something else
 * quarter a multiple of 16, cols of 4 * quarter * spans. Gives 0 if a code is 3, else 1.
 */
export function packV32Planes(
  bytes: usize, w: usize, cols: i32, quarter: i32, spans: i32, gap: i32, highFirst: i32,
): i32 {
  const row: usize = (cols / (4 * quarter * spans)) * (quarter * spans + gap);
  // V32 takes 8 bytes a column. From the quarter in the lowest bits to the next one:
  const quarterBytes: usize = quarter << 3, apart: usize = highFirst ? 0 - quarterBytes : quarterBytes;
  let threes = i8x16.splat(0);
  for (const e = w + (<usize>cols << 3); w < e; bytes += gap) {
    for (let span = 0; span < spans; span++, w += 3 * quarterBytes) {
      for (let j = 0; j < quarter; j += 16, bytes += 16, w += 128) {
        const first = highFirst ? w + 3 * quarterBytes : w;
        for (let h: usize = 0; h < 2; h++) {
          storePlanes(bytes + 4 * h * row, row, first + 16 * h, 2 * apart, false);
          storePlanes(bytes + 4 * h * row, row, first + apart + 16 * h, 2 * apart, true);
        }
        for (let r: usize = 0; r < 32; r++) {
          const a = v128.load(bytes + r * row);
          threes = v128.or(threes, v128.and(a, i16x8.shr_u(a, 1)));
        }
      }
    }
  }
  return v128.any_true(v128.and(threes, i8x16.splat(0x55))) ? 0 : 1;
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

/** The largest magnitude of a row as the bits of an f32: they rise with the number, and infinities and NaN are above all. */
@inline function mostBits(row: usize, cols: i32, f16: bool): i32 {
  let m = i32x4.splat(0);
  for (let k = 0; k < cols; k += 4)
    m = i32x4.max_s(
      m,
      f16
        ? v128.and(v128.load_ext<i16>(row + (<usize>k << 1)), i32x4.splat(0x7fff))
        : v128.and(v128.load(row + (<usize>k << 2)), i32x4.splat(0x7fffffff)),
    );
  m = i32x4.max_s(m, i8x16.shuffle(m, m, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const a = i32x4.extract_lane(m, 0), b = i32x4.extract_lane(m, 1), most = a < b ? b : a;
  if (!f16) return most;
  // As loadF16x4, which makes numbers from 65536 on of infinities and NaN.
  return most < 0x7c00 ? reinterpret<i32>(reinterpret<f32>(most << 13) * reinterpret<f32>(0x77800000)) : 0x7f800000;
}

/** Four numbers as 128 + round_half_even(x * inverse): added to 1.5 * 2^23 it stands in the lowest bits. */
@inline function quad(row: usize, k: usize, f16: bool, inverse: f32): v128 {
  const x = f16 ? loadF16x4(row + (k << 1)) : v128.load(row + (k << 2));
  const rounded = f32x4.add(f32x4.mul(x, f32x4.splat(inverse)), f32x4.splat(12583040));
  return i32x4.sub(rounded, i32x4.splat(0x4b400000));
}

/** Of the largest magnitude at p. A row this small is zeros: 127 / most would overflow below 4e-37, and no activation makes
 * such a row matter. */
@inline function inverse(p: usize): f32 {
  const most = load<f32>(p);
  return most > 1e-30 ? <f32>127.0 / most : 0;
}

@inline function pack16Rows(x: usize, w: usize, scales: usize, cols: i32, f16: bool): i32 {
  const rowBytes = <usize>cols << (f16 ? 1 : 2);
  let finite = 1;
  for (let v = 0; v < 4; v++, x += 4 * rowBytes, w += 16, scales += 16) {
    for (let r = 0; r < 4; r++) {
      const bits = mostBits(x + r * rowBytes, cols, f16);
      if (bits >= 0x7f800000) finite = 0;
      store<i32>(scales + (r << 2), bits);
    }
    const i0 = inverse(scales), i1 = inverse(scales + 4), i2 = inverse(scales + 8), i3 = inverse(scales + 12);
    v128.store(scales, f32x4.div(v128.load(scales), f32x4.splat(127)));
    const x1 = x + rowBytes, x2 = x1 + rowBytes, x3 = x2 + rowBytes;
    let d = w;
    for (let k: usize = 0; k < <usize>cols; k += 4, d += 64) {
      const a = i16x8.narrow_i32x4_s(quad(x, k, f16, i0), quad(x1, k, f16, i1));
      const b = i16x8.narrow_i32x4_s(quad(x2, k, f16, i2), quad(x3, k, f16, i3));
      v128.store(d, i8x16.narrow_i16x8_u(a, b));
    }
  }
  return finite;
}
