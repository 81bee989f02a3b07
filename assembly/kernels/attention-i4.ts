// Dots of integer attention over the int4 cache: half bytes hold code + 8, channels 0..3 and 4..7 of eight in one word.
// Half bytes fit the 7-bit side of the relaxed dot, and so do weights of 0..127: one form for every engine, and one in
// baseline SIMD. Sums are whole numbers, so both give the same bits.
import { addBlock, dot, storeScores } from './attention-i8';
import { dotWide } from './attention-i8-wide';
import { KEY_BIAS, ROW_BYTES, VALUE_BIAS } from './attention-softmax';

const NIBBLE: usize = memory.data<u8>([15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15, 15]);
const LOW_NIBBLE: usize = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15]);

/** As scoresI8Dot; k [count / 8][dim / 8][8][4], half bytes. */
export function scoresI4Dot(
  q: usize, k: usize, scales: usize, out: usize, rows: usize, pairs: i32, count: i32, dim: i32,
): void {
  const tile = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES, m = v128.load(NIBBLE), zero = i32x4.splat(0);
  for (const stop = k + (<usize>count >> 3) * tile; k < stop; k += tile, out += 32, scales += 32) {
    let p = q, o = out;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 512) {
      let a0 = v128.load32_splat(row, KEY_BIAS), b0 = a0, c0 = zero, d0 = zero;
      let a1 = v128.load32_splat(row, ROW_BYTES + KEY_BIAS), b1 = a1, c1 = zero, d1 = zero;
      for (let z = k, e = k + tile; z < e; z += 32, p += 16) {
        const x = v128.load(z), y = v128.load(z, 16);
        let u = v128.and(x, m), v = v128.and(y, m), r = v128.load32_splat(p);
        a0 = dot(r, u, a0);
        b0 = dot(r, v, b0);
        r = v128.load32_splat(p, 4);
        a1 = dot(r, u, a1);
        b1 = dot(r, v, b1);
        u = v128.and(i16x8.shr_u(x, 4), m);
        v = v128.and(i16x8.shr_u(y, 4), m);
        r = v128.load32_splat(p, 8);
        c0 = dot(r, u, c0);
        d0 = dot(r, v, d0);
        r = v128.load32_splat(p, 12);
        c1 = dot(r, u, c1);
        d1 = dot(r, v, d1);
      }
      storeScores(o, i32x4.add(a0, c0), i32x4.add(b0, d0), scales, row);
      storeScores(o + 256, i32x4.add(a1, c1), i32x4.add(b1, d1), scales, row + ROW_BYTES);
    }
  }
}

/** As mixI8Unsigned with codes of 0..127; v [dim / 8][16][4][4], half bytes. */
export function mixI4Dot(codes: usize, v: usize, acc: usize, rows: usize, pairs: i32, count: i32, dim: i32): void {
  const rowBytes = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES, m = v128.load(NIBBLE), zero = i32x4.splat(0);
  for (const stop = acc + rowBytes; acc < stop; acc += 32, v += 256) {
    let o = acc, code = codes;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 2 * rowBytes, code += 128) {
      let a0 = v128.load32_splat(row, VALUE_BIAS), b0 = a0, c0 = zero, d0 = zero;
      let a1 = v128.load32_splat(row, ROW_BYTES + VALUE_BIAS), b1 = a1, c1 = zero, d1 = zero;
      for (let z = v, p = code, e = code + (<usize>count << 1); p < e; p += 16, z += 32) {
        let x = v128.load(z), u = v128.and(x, m), w = v128.and(i16x8.shr_u(x, 4), m), r = v128.load32_splat(p);
        a0 = dot(u, r, a0);
        b0 = dot(w, r, b0);
        r = v128.load32_splat(p, 4);
        a1 = dot(u, r, a1);
        b1 = dot(w, r, b1);
        x = v128.load(z, 16);
        u = v128.and(x, m);
        w = v128.and(i16x8.shr_u(x, 4), m);
        r = v128.load32_splat(p, 8);
        c0 = dot(u, r, c0);
        d0 = dot(w, r, d0);
        r = v128.load32_splat(p, 12);
        c1 = dot(u, r, c1);
        d1 = dot(w, r, d1);
      }
      addBlock(o, i32x4.add(a0, c0), i32x4.add(b0, d0), row);
      addBlock(o + rowBytes, i32x4.add(a1, c1), i32x4.add(b1, d1), row + ROW_BYTES);
    }
  }
}

/** As scoresI4Dot; q [pairs][dim / 4][even, odd][2][2] i16. */
export function scoresI4Wide(
  q: usize, k: usize, scales: usize, out: usize, rows: usize, pairs: i32, count: i32, dim: i32,
): void {
  const tile = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES, m = v128.load(LOW_NIBBLE);
  for (const stop = k + (<usize>count >> 3) * tile; k < stop; k += tile, out += 32, scales += 32) {
    let p = q, o = out;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 512) {
      let a0 = v128.load32_splat(row, KEY_BIAS), b0 = a0, a1 = v128.load32_splat(row, ROW_BYTES + KEY_BIAS), b1 = a1;
      for (let z = k, e = k + tile; z < e; z += 32, p += 32) {
        let x = v128.load(z), even = v128.and(x, m), odd = v128.and(i16x8.shr_u(x, 8), m);
        a0 = dotWide(even, odd, p, 0, a0);
        a1 = dotWide(even, odd, p, 4, a1);
        even = v128.and(i16x8.shr_u(x, 4), m);
        odd = i16x8.shr_u(x, 12);
        a0 = dotWide(even, odd, p, 16, a0);
        a1 = dotWide(even, odd, p, 20, a1);
        x = v128.load(z, 16);
        even = v128.and(x, m);
        odd = v128.and(i16x8.shr_u(x, 8), m);
        b0 = dotWide(even, odd, p, 0, b0);
        b1 = dotWide(even, odd, p, 4, b1);
        even = v128.and(i16x8.shr_u(x, 4), m);
        odd = i16x8.shr_u(x, 12);
        b0 = dotWide(even, odd, p, 16, b0);
        b1 = dotWide(even, odd, p, 20, b1);
      }
      storeScores(o, a0, b0, scales, row);
      storeScores(o + 256, a1, b1, scales, row + ROW_BYTES);
    }
  }
}

/** As mixI4Dot; codes [pairs][16][even, odd][2][2] i16. */
export function mixI4Wide(codes: usize, v: usize, acc: usize, rows: usize, pairs: i32, count: i32, dim: i32): void {
  const rowBytes = <usize>dim << 2, last = rows + <usize>pairs * 2 * ROW_BYTES, m = v128.load(LOW_NIBBLE);
  for (const stop = acc + rowBytes; acc < stop; acc += 32, v += 256) {
    let o = acc, code = codes;
    for (let row = rows; row < last; row += 2 * ROW_BYTES, o += 2 * rowBytes, code += 256) {
      let a0 = v128.load32_splat(row, VALUE_BIAS), b0 = a0, a1 = v128.load32_splat(row, ROW_BYTES + VALUE_BIAS), b1 = a1;
      for (let z = v, p = code, e = code + (<usize>count << 2); p < e; p += 16, z += 16) {
        const x = v128.load(z);
        let even = v128.and(x, m), odd = v128.and(i16x8.shr_u(x, 8), m);
        a0 = dotWide(even, odd, p, 0, a0);
        a1 = dotWide(even, odd, p, 4, a1);
        even = v128.and(i16x8.shr_u(x, 4), m);
        odd = i16x8.shr_u(x, 12);
        b0 = dotWide(even, odd, p, 0, b0);
        b1 = dotWide(even, odd, p, 4, b1);
      }
      addBlock(o, a0, b0, row);
      addBlock(o + rowBytes, a1, b1, row + ROW_BYTES);
    }
  }
}
