// Dots of integer attention over the int8 cache in baseline SIMD: even and odd bytes as i16, two rows at a time.
import { addBlock, storeScores } from './attention-i8';
import { KEY_BIAS, ROW_BYTES } from './attention-softmax';

const LOW_BYTE: usize = memory.data<u16>([255, 255, 255, 255, 255, 255, 255, 255]);

/** [quads][2 rows][4] bytes -> [quads][even, odd][2 rows][2] i16; bytes a multiple of 16. */
@inline function widen(p: usize, to: usize, bytes: usize, signed: bool): void {
  const low = v128.load(LOW_BYTE);
  for (const e = p + bytes; p < e; p += 16, to += 32) {
    const x = v128.load(p);
    const even = signed ? i16x8.shr_s(i16x8.shl(x, 8), 8) : v128.and(x, low);
    const odd = signed ? i16x8.shr_s(x, 8) : i16x8.shr_u(x, 8);
    v128.store(to, i8x16.shuffle(even, odd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    v128.store(to, i8x16.shuffle(even, odd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 16);
  }
}

/** Queries: [pairs][dim / 4][2][4] i8. */
export function widenQueries(q: usize, to: usize, bytes: usize): void {
  widen(q, to, bytes, true);
}

/** Weights: [pairs][16][2][4] u8. */
export function widenCodes(codes: usize, to: usize, pairs: i32): void {
  widen(codes, to, <usize>pairs << 7, false);
}

@inline export function dotWide(even: v128, odd: v128, p: usize, row: usize, sum: v128): v128 {
  return i32x4.add(
    i32x4.add(sum, i32x4.dot_i16x8_s(even, v128.load32_splat(p + row))),
    i32x4.dot_i16x8_s(odd, v128.load32_splat(p + row, 8)),
  );
}

/** As scoresI8Dot; q [pairs][dim / 4][even, odd][2][2] i16. */
export function scoresI8Wide(
  q: usize, k: usize, scales: usize, out: usize, rows: usize, pairs: i32, count: i32, dim: i32,
): void {
  const tile = <usize>dim << 3, last = rows + <usize>pairs * 2 * ROW_BYTES, low = v128.load(LOW_BYTE);
  for (const stop = k + (<usize>count >> 3) * tile; k < stop; k += tile, out += 32, scales += 32) {
    let p = q, o = out;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 512) {
      let a0 = v128.load32_splat(row, KEY_BIAS), b0 = a0, a1 = v128.load32_splat(row, ROW_BYTES + KEY_BIAS), b1 = a1;
      for (let z = k, e = k + tile; z < e; z += 32, p += 16) {
        let x = v128.load(z), even = v128.and(x, low), odd = i16x8.shr_u(x, 8);
        a0 = dotWide(even, odd, p, 0, a0);
        a1 = dotWide(even, odd, p, 4, a1);
        x = v128.load(z, 16);
        even = v128.and(x, low);
        odd = i16x8.shr_u(x, 8);
        b0 = dotWide(even, odd, p, 0, b0);
        b1 = dotWide(even, odd, p, 4, b1);
      }
      storeScores(o, a0, b0, scales, row);
      storeScores(o + 256, a1, b1, scales, row + ROW_BYTES);
    }
  }
}

/** As mixI8Unsigned; codes [pairs][16][even, odd][2][2] i16. */
export function mixI8Wide(codes: usize, v: usize, acc: usize, rows: usize, pairs: i32, count: i32, dim: i32): void {
  const rowBytes = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES;
  for (const stop = acc + rowBytes; acc < stop; acc += 32, v += 512) {
    let o = acc, code = codes;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 2 * rowBytes, code += 256) {
      let a0 = i32x4.splat(0), b0 = a0, a1 = a0, b1 = a0;
      for (let z = v, p = code, e = code + (<usize>count << 2); p < e; p += 16, z += 32) {
        let x = v128.load(z), even = i16x8.shr_s(i16x8.shl(x, 8), 8), odd = i16x8.shr_s(x, 8);
        a0 = dotWide(even, odd, p, 0, a0);
        a1 = dotWide(even, odd, p, 4, a1);
        x = v128.load(z, 16);
        even = i16x8.shr_s(i16x8.shl(x, 8), 8);
        odd = i16x8.shr_s(x, 8);
        b0 = dotWide(even, odd, p, 0, b0);
        b1 = dotWide(even, odd, p, 4, b1);
      }
      addBlock(o, a0, b0, row);
      addBlock(o + rowBytes, a1, b1, row + ROW_BYTES);
    }
  }
}
