// Dots of integer attention over the int8 cache where the i32 relaxed dot is one instruction. Rows go four by four, what
// is left over in pairs: eight sums are what it takes to keep the multipliers busy. All rows read a piece of the block
// before the next piece: one linear stream. Sums are whole numbers, so every form gives the same bits.
import { KEY_BIAS, ROW_BYTES, ROW_SCALE, STEP } from './attention-softmax';

@inline export function dot(a: v128, b: v128, sum: v128): v128 {
  return ASC_FEATURE_RELAXED_SIMD ? i32x4.relaxed_dot_i8x16_i7x16_add_s(a, b, sum) : sum;
}

/** Scores of eight positions of a row. */
@inline export function storeScores(out: usize, a: v128, b: v128, scales: usize, row: usize): void {
  const s = v128.load32_splat(row, ROW_SCALE);
  v128.store(out, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(a), v128.load(scales)), s));
  v128.store(out, f32x4.mul(f32x4.mul(f32x4.convert_i32x4_s(b), v128.load(scales, 16)), s), 16);
}

/** Eight channels of a row: acc += f32(dot) * STEP. */
@inline export function addBlock(acc: usize, a: v128, b: v128, row: usize): void {
  const s = v128.load32_splat(row, STEP);
  v128.store(acc, f32x4.add(v128.load(acc), f32x4.mul(f32x4.convert_i32x4_s(a), s)));
  v128.store(acc, f32x4.add(v128.load(acc, 16), f32x4.mul(f32x4.convert_i32x4_s(b), s)), 16);
}

@inline function scoresQuad(p: usize, k: usize, scales: usize, out: usize, row: usize, dim: i32, flip: v128): void {
  let a0 = v128.load32_splat(row, KEY_BIAS), b0 = a0, a1 = v128.load32_splat(row, ROW_BYTES + KEY_BIAS), b1 = a1;
  let a2 = v128.load32_splat(row, 2 * ROW_BYTES + KEY_BIAS), b2 = a2;
  let a3 = v128.load32_splat(row, 3 * ROW_BYTES + KEY_BIAS), b3 = a3;
  let t = p + (<usize>dim << 1);
  for (const e = k + (<usize>dim << 3); k < e; k += 32, p += 8, t += 8) {
    const x = v128.xor(v128.load(k), flip), y = v128.xor(v128.load(k, 16), flip);
    let r = v128.load32_splat(p);
    a0 = dot(r, x, a0);
    b0 = dot(r, y, b0);
    r = v128.load32_splat(p, 4);
    a1 = dot(r, x, a1);
    b1 = dot(r, y, b1);
    r = v128.load32_splat(t);
    a2 = dot(r, x, a2);
    b2 = dot(r, y, b2);
    r = v128.load32_splat(t, 4);
    a3 = dot(r, x, a3);
    b3 = dot(r, y, b3);
  }
  storeScores(out, a0, b0, scales, row);
  storeScores(out + 256, a1, b1, scales, row + ROW_BYTES);
  storeScores(out + 512, a2, b2, scales, row + 2 * ROW_BYTES);
  storeScores(out + 768, a3, b3, scales, row + 3 * ROW_BYTES);
}

@inline function scoresPair(p: usize, k: usize, scales: usize, out: usize, row: usize, dim: i32, flip: v128): void {
  const zero = i32x4.splat(0);
  let a0 = v128.load32_splat(row, KEY_BIAS), b0 = a0, c0 = zero, d0 = zero;
  let a1 = v128.load32_splat(row, ROW_BYTES + KEY_BIAS), b1 = a1, c1 = zero, d1 = zero;
  for (const e = k + (<usize>dim << 3); k < e; k += 64, p += 16) {
    let x = v128.xor(v128.load(k), flip), y = v128.xor(v128.load(k, 16), flip), r = v128.load32_splat(p);
    a0 = dot(r, x, a0);
    b0 = dot(r, y, b0);
    r = v128.load32_splat(p, 4);
    a1 = dot(r, x, a1);
    b1 = dot(r, y, b1);
    x = v128.xor(v128.load(k, 32), flip);
    y = v128.xor(v128.load(k, 48), flip);
    r = v128.load32_splat(p, 8);
    c0 = dot(r, x, c0);
    d0 = dot(r, y, d0);
    r = v128.load32_splat(p, 12);
    c1 = dot(r, x, c1);
    d1 = dot(r, y, d1);
  }
  storeScores(out, i32x4.add(a0, c0), i32x4.add(b0, d0), scales, row);
  storeScores(out + 256, i32x4.add(a1, c1), i32x4.add(b1, d1), scales, row + ROW_BYTES);
}

/**
 * out[pairs][2][64] = f32(q . k + KEY_BIAS) * scale of the position * ROW_SCALE      count positions, a multiple of 16
 *   q [pairs][dim / 4][2][4] i8     rows [pairs][2] records     scales [count] f32
 *   k [count / 8][dim / 4][8][4] u8: 128 + code, turned by `flip` into what the engine's relaxed dot takes as its second
 *   operand: unsigned or signed bytes
 */
export function scoresI8Dot(
  q: usize, k: usize, scales: usize, out: usize, rows: usize, pairs: i32, count: i32, dim: i32, flip: i32,
): void {
  const tile = <usize>dim << 3, last = rows + <usize>pairs * 2 * ROW_BYTES, f = i8x16.splat(<i8>flip);
  for (const stop = k + (<usize>count >> 3) * tile; k < stop; k += tile, out += 32, scales += 32) {
    let p = q, row = rows, o = out;
    for (; row + 4 * ROW_BYTES <= last; row += 4 * ROW_BYTES, o += 1024, p += <usize>dim << 2)
      scoresQuad(p, k, scales, o, row, dim, f);
    if (row < last) scoresPair(p, k, scales, o, row, dim, f);
  }
}

@inline function mixQuad(p: usize, v: usize, acc: usize, row: usize, count: i32, rowBytes: usize): void {
  let a0 = i32x4.splat(0), b0 = a0, a1 = a0, b1 = a0, a2 = a0, b2 = a0, a3 = a0, b3 = a0;
  for (const e = p + (<usize>count << 1); p < e; p += 8, v += 32) {
    const x = v128.load(v), y = v128.load(v, 16);
    let r = v128.load32_splat(p);
    a0 = dot(x, r, a0);
    b0 = dot(y, r, b0);
    r = v128.load32_splat(p, 4);
    a1 = dot(x, r, a1);
    b1 = dot(y, r, b1);
    r = v128.load32_splat(p, 128);
    a2 = dot(x, r, a2);
    b2 = dot(y, r, b2);
    r = v128.load32_splat(p, 132);
    a3 = dot(x, r, a3);
    b3 = dot(y, r, b3);
  }
  addBlock(acc, a0, b0, row);
  addBlock(acc + rowBytes, a1, b1, row + ROW_BYTES);
  addBlock(acc + 2 * rowBytes, a2, b2, row + 2 * ROW_BYTES);
  addBlock(acc + 3 * rowBytes, a3, b3, row + 3 * ROW_BYTES);
}

/** signed: the codes are 128 less than they should be, which sums of the values make up for. */
@inline function mixPair(p: usize, v: usize, acc: usize, row: usize, count: i32, rowBytes: usize, signed: bool): void {
  const zero = i32x4.splat(0), ones = i8x16.splat(1);
  let a0 = zero, b0 = zero, c0 = zero, d0 = zero, a1 = zero, b1 = zero, c1 = zero, d1 = zero, sx = zero, sy = zero;
  for (const e = p + (<usize>count << 1); p < e; p += 16, v += 64) {
    let x = v128.load(v), y = v128.load(v, 16), r = v128.load32_splat(p);
    a0 = dot(x, r, a0);
    b0 = dot(y, r, b0);
    r = v128.load32_splat(p, 4);
    a1 = dot(x, r, a1);
    b1 = dot(y, r, b1);
    if (signed) {
      sx = dot(x, ones, sx);
      sy = dot(y, ones, sy);
    }
    x = v128.load(v, 32);
    y = v128.load(v, 48);
    r = v128.load32_splat(p, 8);
    c0 = dot(x, r, c0);
    d0 = dot(y, r, d0);
    r = v128.load32_splat(p, 12);
    c1 = dot(x, r, c1);
    d1 = dot(y, r, d1);
    if (signed) {
      sx = dot(x, ones, sx);
      sy = dot(y, ones, sy);
    }
  }
  if (signed) {
    sx = i32x4.shl(sx, 7);
    sy = i32x4.shl(sy, 7);
    c0 = i32x4.add(c0, sx);
    c1 = i32x4.add(c1, sx);
    d0 = i32x4.add(d0, sy);
    d1 = i32x4.add(d1, sy);
  }
  addBlock(acc, i32x4.add(a0, c0), i32x4.add(b0, d0), row);
  addBlock(acc + rowBytes, i32x4.add(a1, c1), i32x4.add(b1, d1), row + ROW_BYTES);
}

/**
 * acc[pairs][2][dim] f32 += f32(codes . v) * STEP                                  count positions, a multiple of 16
 *   codes [pairs][16][2][4] u8: the second operand of the relaxed dot     v [dim / 8][16][8][4] i8     rows: records
 * For engines whose relaxed dot reads its second operand as unsigned bytes.
 */
export function mixI8Unsigned(codes: usize, v: usize, acc: usize, rows: usize, pairs: i32, count: i32, dim: i32): void {
  const rowBytes = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES;
  for (const stop = acc + rowBytes; acc < stop; acc += 32, v += 512) {
    let o = acc, row = rows, p = codes;
    for (; row + 4 * ROW_BYTES <= last; row += 4 * ROW_BYTES, o += 4 * rowBytes, p += 256)
      mixQuad(p, v, o, row, count, rowBytes);
    if (row < last) mixPair(p, v, o, row, count, rowBytes, false);
  }
}

/** As mixI8Unsigned where it reads signed bytes: codes are given less 128. */
export function mixI8Signed(codes: usize, v: usize, acc: usize, rows: usize, pairs: i32, count: i32, dim: i32): void {
  const rowBytes = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES;
  for (const stop = acc + rowBytes; acc < stop; acc += 32, v += 512) {
    let o = acc, p = codes;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 2 * rowBytes, p += 128)
      mixPair(p, v, o, row, count, rowBytes, true);
  }
}
