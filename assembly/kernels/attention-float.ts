// Dots and sums of attention over f32 and f16 caches, several rows (heads) at a time. What every row computes, and in
// which order, is as if it were alone: dotF32 for the scores, positions in rising order for the values.
import { dotF32 } from '../simd';

/** f16 read as f32 is too small by 2^112. The queries carry 2^96 of it, which no real query overflows, the scale 2^16. */
export const QUERY_FACTOR: f32 = 7.922816251426434e28;
export const SCORE_FACTOR: f32 = 65536;
/** What the weights carry. */
export const WEIGHT_FACTOR: f32 = 5.192296858534828e33;

const F16_BITS: usize = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000]);

/** Four numbers as f32; f16 without its factor (subnormal ones are subnormal here too). */
@inline function four(p: usize, f16: bool, bits: v128): v128 {
  return f16 ? v128.and(i32x4.shl(v128.load_ext<i16>(p), 13), bits) : v128.load(p);
}

@inline function madd(sum: v128, a: v128, b: v128): v128 {
  return f32x4.add(sum, f32x4.mul(a, b));
}

/** (lane 0 + lane 2) + (lane 1 + lane 3) of four vectors. */
@inline function sums(a: v128, b: v128, c: v128, d: v128): v128 {
  const ab = f32x4.add(
    i8x16.shuffle(a, b, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(a, b, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
  const cd = f32x4.add(
    i8x16.shuffle(c, d, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23),
    i8x16.shuffle(c, d, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31),
  );
  return f32x4.add(
    i8x16.shuffle(ab, cd, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27),
    i8x16.shuffle(ab, cd, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31),
  );
}

/**
 * One key against n rows of queries xBytes apart: dotF32's four sums of each, two at a time for want of registers.
 * out: where the first row's score goes, those of the others outBytes apart.
 */
@inline function score(
  x: usize, xBytes: usize, k: usize, out: usize, outBytes: usize, headDim: i32, scale: v128, f16: bool, n: i32,
): void {
  const half: usize = f16 ? 16 : 32, quad: usize = half >> 1, bits = v128.load(F16_BITS);
  const x1 = x + xBytes, x2 = x1 + xBytes, x3 = x2 + xBytes;
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  let p = k, i: usize = 0;
  const e16 = <usize>(headDim & ~15) << 2, e = <usize>headDim << 2;
  for (; i < e16; i += 64, p += 2 * half) {
    const u = four(p, f16, bits), v = four(p + quad, f16, bits);
    a0 = madd(a0, v128.load(x + i), u);
    b0 = madd(b0, v128.load(x + i, 16), v);
    if (n > 1) {
      a1 = madd(a1, v128.load(x1 + i), u);
      b1 = madd(b1, v128.load(x1 + i, 16), v);
    }
    if (n > 2) {
      a2 = madd(a2, v128.load(x2 + i), u);
      b2 = madd(b2, v128.load(x2 + i, 16), v);
      a3 = madd(a3, v128.load(x3 + i), u);
      b3 = madd(b3, v128.load(x3 + i, 16), v);
    }
  }
  for (; i < e; i += 16, p += quad) {
    const u = four(p, f16, bits);
    a0 = madd(a0, v128.load(x + i), u);
    if (n > 1) a1 = madd(a1, v128.load(x1 + i), u);
    if (n > 2) {
      a2 = madd(a2, v128.load(x2 + i), u);
      a3 = madd(a3, v128.load(x3 + i), u);
    }
  }
  const t0 = f32x4.add(a0, b0), t1 = f32x4.add(a1, b1), t2 = f32x4.add(a2, b2), t3 = f32x4.add(a3, b3);
  a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0, b0 = a0, b1 = a0, b2 = a0, b3 = a0;
  p = k + half;
  for (i = 0; i < e16; i += 64, p += 2 * half) {
    const u = four(p, f16, bits), v = four(p + quad, f16, bits);
    a0 = madd(a0, v128.load(x + i, 32), u);
    b0 = madd(b0, v128.load(x + i, 48), v);
    if (n > 1) {
      a1 = madd(a1, v128.load(x1 + i, 32), u);
      b1 = madd(b1, v128.load(x1 + i, 48), v);
    }
    if (n > 2) {
      a2 = madd(a2, v128.load(x2 + i, 32), u);
      b2 = madd(b2, v128.load(x2 + i, 48), v);
      a3 = madd(a3, v128.load(x3 + i, 32), u);
      b3 = madd(b3, v128.load(x3 + i, 48), v);
    }
  }
  const s = f32x4.mul(
    sums(
      f32x4.add(t0, f32x4.add(a0, b0)), f32x4.add(t1, f32x4.add(a1, b1)),
      f32x4.add(t2, f32x4.add(a2, b2)), f32x4.add(t3, f32x4.add(a3, b3)),
    ),
    scale,
  );
  v128.store32_lane(out, s, 0);
  if (n > 1) v128.store32_lane(out + outBytes, s, 1);
  if (n > 2) {
    v128.store32_lane(out + 2 * outBytes, s, 2);
    v128.store32_lane(out + 3 * outBytes, s, 3);
  }
}

@inline function scoresOf(
  x: usize, xBytes: usize, k: usize, out: usize, outBytes: usize, headDim: i32, scale: f32, count: i32, f16: bool, n: i32,
): void {
  const s = f32x4.splat(scale), rowBytes = <usize>headDim << (f16 ? 1 : 2);
  for (const e = out + (<usize>count << 2); out < e; out += 4, k += rowBytes)
    score(x, xBytes, k, out, outBytes, headDim, s, f16, n);
}

@inline function scores(
  x: usize, xBytes: usize, k: usize, out: usize, outBytes: usize, headDim: i32, scale: f32, count: i32, rows: i32, f16: bool,
): void {
  for (; rows >= 4; rows -= 4, x += 4 * xBytes, out += 4 * outBytes)
    scoresOf(x, xBytes, k, out, outBytes, headDim, scale, count, f16, 4);
  if (rows & 2) {
    scoresOf(x, xBytes, k, out, outBytes, headDim, scale, count, f16, 2);
    x += 2 * xBytes;
    out += 2 * outBytes;
  }
  if (rows & 1) scoresOf(x, xBytes, k, out, outBytes, headDim, scale, count, f16, 1);
}

/**
 * out[n][headDim] += sum over m positions of weight * v: m = 8 / n, so that eight weights stay in registers and the values
 * are read in their order in memory, once for all rows. One sum, in rising order of positions.
 */
@inline function mixSome(
  w: usize, wBytes: usize, v: usize, out: usize, outBytes: usize, headDim: i32, f16: bool, n: i32,
): void {
  const bits = v128.load(F16_BITS), rowBytes = <usize>headDim << (f16 ? 1 : 2), quad: usize = f16 ? 8 : 16;
  const x1 = n > 1 ? w + wBytes : w, x2 = n > 2 ? x1 + wBytes : w, x3 = n > 2 ? x2 + wBytes : w;
  // Weights of row r, position p: s[r * m + p].
  const s0 = v128.load32_splat(w), s1 = v128.load32_splat(w, 4);
  const s2 = n > 2 ? v128.load32_splat(x1) : v128.load32_splat(w, 8);
  const s3 = n > 2 ? v128.load32_splat(x1, 4) : v128.load32_splat(w, 12);
  const s4 = n > 2 ? v128.load32_splat(x2) : n > 1 ? v128.load32_splat(x1) : v128.load32_splat(w, 16);
  const s5 = n > 2 ? v128.load32_splat(x2, 4) : n > 1 ? v128.load32_splat(x1, 4) : v128.load32_splat(w, 20);
  const s6 = n > 2 ? v128.load32_splat(x3) : n > 1 ? v128.load32_splat(x1, 8) : v128.load32_splat(w, 24);
  const s7 = n > 2 ? v128.load32_splat(x3, 4) : n > 1 ? v128.load32_splat(x1, 12) : v128.load32_splat(w, 28);
  const o1 = out + outBytes, o2 = o1 + outBytes, o3 = o2 + outBytes, r1 = rowBytes, r2 = r1 + rowBytes, r3 = r2 + rowBytes;
  const r4 = r3 + rowBytes, r5 = r4 + rowBytes, r6 = r5 + rowBytes, r7 = r6 + rowBytes;
  for (let i: usize = 0, e = <usize>headDim << 2; i < e; i += 16, v += quad) {
    const a = four(v, f16, bits), b = four(v + r1, f16, bits);
    if (n > 2) {
      v128.store(out + i, madd(madd(v128.load(out + i), s0, a), s1, b));
      v128.store(o1 + i, madd(madd(v128.load(o1 + i), s2, a), s3, b));
      v128.store(o2 + i, madd(madd(v128.load(o2 + i), s4, a), s5, b));
      v128.store(o3 + i, madd(madd(v128.load(o3 + i), s6, a), s7, b));
    } else {
      const c = four(v + r2, f16, bits), d = four(v + r3, f16, bits);
      let x = madd(madd(madd(madd(v128.load(out + i), s0, a), s1, b), s2, c), s3, d);
      if (n > 1) {
        v128.store(out + i, x);
        v128.store(o1 + i, madd(madd(madd(madd(v128.load(o1 + i), s4, a), s5, b), s6, c), s7, d));
      } else {
        x = madd(madd(x, s4, four(v + r4, f16, bits)), s5, four(v + r5, f16, bits));
        v128.store(out + i, madd(madd(x, s6, four(v + r6, f16, bits)), s7, four(v + r7, f16, bits)));
      }
    }
  }
}

/** One row, one position. */
@inline function mixLast(w: usize, v: usize, out: usize, headDim: i32, f16: bool): void {
  const bits = v128.load(F16_BITS), s = v128.load32_splat(w), quad: usize = f16 ? 8 : 16;
  for (const e = out + (<usize>headDim << 2); out < e; out += 16, v += quad)
    v128.store(out, madd(v128.load(out), s, four(v, f16, bits)));
}

/** n of 1, 2 or 4 rows. */
@inline function mixRows(
  w: usize, wBytes: usize, v: usize, out: usize, outBytes: usize, headDim: i32, count: i32, f16: bool, n: i32,
): void {
  const rowBytes = <usize>headDim << (f16 ? 1 : 2);
  let j = 0;
  for (; j + 8 / n <= count; j += 8 / n, w += 32 / n, v += rowBytes * (8 / n))
    mixSome(w, wBytes, v, out, outBytes, headDim, f16, n);
  for (; j < count; j++, w += 4, v += rowBytes)
    for (let r: usize = 0; r < <usize>n; r++) mixLast(w + r * wBytes, v, out + r * outBytes, headDim, f16);
}

@inline function mix(
  w: usize, wBytes: usize, v: usize, out: usize, outBytes: usize, headDim: i32, count: i32, rows: i32, f16: bool,
): void {
  for (; rows >= 4; rows -= 4, w += 4 * wBytes, out += 4 * outBytes)
    mixRows(w, wBytes, v, out, outBytes, headDim, count, f16, 4);
  if (rows & 2) {
    mixRows(w, wBytes, v, out, outBytes, headDim, count, f16, 2);
    w += 2 * wBytes;
    out += 2 * outBytes;
  }
  if (rows & 1) mixRows(w, wBytes, v, out, outBytes, headDim, count, f16, 1);
}

/** out[rows][count] = x . k * scale: rows of x [headDim] xBytes apart, of out outBytes apart. */
export function scoresF32(
  x: usize, xBytes: usize, k: usize, out: usize, outBytes: usize, headDim: i32, scale: f32, count: i32, rows: i32,
): void {
  scores(x, xBytes, k, out, outBytes, headDim, scale, count, rows, false);
}

/** As scoresF32 over f16; x is times QUERY_FACTOR, scale times SCORE_FACTOR. */
export function scoresF16(
  x: usize, xBytes: usize, k: usize, out: usize, outBytes: usize, headDim: i32, scale: f32, count: i32, rows: i32,
): void {
  scores(x, xBytes, k, out, outBytes, headDim, scale, count, rows, true);
}

/** out[rows][headDim] += w[rows][count] v[count][headDim]: rows of w wBytes apart, of out outBytes apart. */
export function mixF32(
  w: usize, wBytes: usize, v: usize, out: usize, outBytes: usize, headDim: i32, count: i32, rows: i32,
): void {
  mix(w, wBytes, v, out, outBytes, headDim, count, rows, false);
}

/** As mixF32 over f16; w is times WEIGHT_FACTOR. */
export function mixF16(
  w: usize, wBytes: usize, v: usize, out: usize, outBytes: usize, headDim: i32, count: i32, rows: i32,
): void {
  mix(w, wBytes, v, out, outBytes, headDim, count, rows, true);
}
