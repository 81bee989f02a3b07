// Ternary matrix x several tokens in baseline SIMD. Weights are unpacked once for all, two rows to a 16-bit lane,
// w + 2^14 v: one product serves both rows, and a sum over 64 columns still holds both sums.
import { ROW_SUMS_BYTES, ROW_TOKENS } from '../layout';
import { finish, flush, widenQuads } from './ternary';

/** Columns after which the lower sum could leave its 14 bits: 64 * 127 = 8128. */
const SPAN: i32 = 64;
const LOW: usize = memory.data<u16>([15, 15, 15, 15, 15, 15, 15, 15]);
const MASK: usize = memory.data<u16>([0xc003, 0xc003, 0xc003, 0xc003, 0xc003, 0xc003, 0xc003, 0xc003]);
const BIAS: usize = memory.data<u16>([0x4001, 0x4001, 0x4001, 0x4001, 0x4001, 0x4001, 0x4001, 0x4001]);

/** Codes at bits 0 and 14, anything between -> weights w + 2^14 v. */
@inline function pair(codes: v128, mask: v128, bias: v128): v128 {
  return i16x8.sub(v128.and(codes, mask), bias);
}

/** `cols` columns of 32 rows of V32 -> pairs [vector h][cols / 4][even columns, odd ones][fields 0 and 1, 2 and 3]. */
@inline function unpack(b: usize, cols: i32, pairs: usize): void {
  const low = v128.load(LOW), m = v128.load(MASK), bias = v128.load(BIAS), halfBytes = <usize>cols << 4;
  for (const e = b + (<usize>cols << 3); b < e; b += 32, pairs += 64) {
    for (let h: usize = 0; h < 2; h++) {
      const x = v128.load(b + (h << 4)), z = i16x8.shr_u(x, 8), to = pairs + h * halfBytes;
      v128.store(to, pair(v128.or(v128.and(x, low), i16x8.shl(x, 12)), m, bias));
      v128.store(to, pair(v128.or(i16x8.shr_u(x, 4), i16x8.shl(x, 8)), m, bias), 16);
      v128.store(to, pair(v128.or(z, i16x8.shl(z, 12)), m, bias), 32);
      v128.store(to, pair(v128.or(i16x8.shr_u(z, 4), i16x8.shl(z, 8)), m, bias), 48);
    }
  }
}

@inline function dot(pairs: v128, q: v128, sum: v128): v128 {
  return i32x4.add(sum, i32x4.dot_i16x8_s(pairs, q));
}

/** Both sums of a pair, added to those of field f and of the next one, eight rows on. */
@inline function split(ints: usize, sum: v128): void {
  const low = i32x4.shr_s(i32x4.shl(sum, 18), 18);
  v128.store(ints, i32x4.add(v128.load(ints), low));
  v128.store(ints, i32x4.add(v128.load(ints, 32), i32x4.shr_s(i32x4.sub(sum, low), 14)), 32);
}

/** ints [4][32] i32 += pairs [b, e) of one vector x p [quads][4 tokens][4] i16. */
@inline function dots4(b: usize, e: usize, p: usize, ints: usize): void {
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0, t0 = s0, t1 = s0, t2 = s0, t3 = s0;
  // Even columns, then odd ones: V8 11 moves all loads of an iteration to its begin, and would spill sums for both.
  for (let d = b, g = p; d < e; d += 64, g += 32) {
    const u = v128.load(d), v = v128.load(d, 16);
    let a = v128.load32_splat(g);
    s0 = dot(u, a, s0);
    t0 = dot(v, a, t0);
    a = v128.load32_splat(g, 8);
    s1 = dot(u, a, s1);
    t1 = dot(v, a, t1);
    a = v128.load32_splat(g, 16);
    s2 = dot(u, a, s2);
    t2 = dot(v, a, t2);
    a = v128.load32_splat(g, 24);
    s3 = dot(u, a, s3);
    t3 = dot(v, a, t3);
  }
  for (let d = b, g = p; d < e; d += 64, g += 32) {
    const u = v128.load(d, 32), v = v128.load(d, 48);
    let a = v128.load32_splat(g, 4);
    s0 = dot(u, a, s0);
    t0 = dot(v, a, t0);
    a = v128.load32_splat(g, 12);
    s1 = dot(u, a, s1);
    t1 = dot(v, a, t1);
    a = v128.load32_splat(g, 20);
    s2 = dot(u, a, s2);
    t2 = dot(v, a, t2);
    a = v128.load32_splat(g, 28);
    s3 = dot(u, a, s3);
    t3 = dot(v, a, t3);
  }
  split(ints, s0);
  split(ints + 64, t0);
  split(ints + 128, s1);
  split(ints + 192, t1);
  split(ints + 256, s2);
  split(ints + 320, t2);
  split(ints + 384, s3);
  split(ints + 448, t3);
}

/** As dots4, for two tokens. */
@inline function dots2(b: usize, e: usize, p: usize, ints: usize): void {
  let s0 = i32x4.splat(0), s1 = s0, t0 = s0, t1 = s0;
  for (; b < e; b += 64, p += 16) {
    let u = v128.load(b), v = v128.load(b, 16), a = v128.load32_splat(p), c = v128.load32_splat(p, 8);
    s0 = dot(u, a, s0);
    t0 = dot(v, a, t0);
    s1 = dot(u, c, s1);
    t1 = dot(v, c, t1);
    u = v128.load(b, 32);
    v = v128.load(b, 48);
    a = v128.load32_splat(p, 4);
    c = v128.load32_splat(p, 12);
    s0 = dot(u, a, s0);
    t0 = dot(v, a, t0);
    s1 = dot(u, c, s1);
    t1 = dot(v, c, t1);
  }
  split(ints, s0);
  split(ints + 64, t0);
  split(ints + 128, s1);
  split(ints + 192, t1);
}

/** As dots4, for one token. */
@inline function dots1(b: usize, e: usize, p: usize, ints: usize): void {
  let s = i32x4.splat(0), t = s;
  for (; b < e; b += 64, p += 8) {
    const even = v128.load32_splat(p), odd = v128.load32_splat(p, 4);
    s = dot(v128.load(b, 32), odd, dot(v128.load(b), even, s));
    t = dot(v128.load(b, 48), odd, dot(v128.load(b, 16), even, t));
  }
  split(ints, s);
  split(ints + 64, t);
}

/** How many of `rest` tokens are multiplied together; their quads follow one another. */
@inline function groupOf(rest: i32): i32 {
  return rest > 3 ? 4 : rest > 1 ? 2 : 1;
}

/** 32 rows x `tokens` tokens. wide, qScale, y: the first token's. */
function rows32(
  b: usize, scale: usize, wide: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, strideBytes: usize, add: i32,
  tokens: i32, scratch: usize,
): void {
  const ints = scratch + 128 * ROW_TOKENS, pairs = ints + 128 * ROW_TOKENS, bytes = <usize>tokens << 7;
  const zero = i32x4.splat(0);
  memory.fill(scratch, 0, bytes);
  for (let k = 0; k < cols; scale += 128) {
    memory.fill(ints, 0, bytes);
    for (const end = k + blockCols; k < end; ) {
      const n = min(SPAN, end - k), halfBytes = <usize>n << 4;
      unpack(b, n, pairs);
      for (let t = 0; t < tokens; ) {
        const group = groupOf(tokens - t), p = wide + (<usize>(t * cols + group * k) << 1), into = ints + (t << 7);
        for (let b = pairs, to = into; to < into + 32; b += halfBytes, to += 16) {
          if (group == 4) dots4(b, b + halfBytes, p, to);
          else if (group == 2) dots2(b, b + halfBytes, p, to);
          else dots1(b, b + halfBytes, p, to);
        }
        t += group;
      }
      b += <usize>n << 3;
      k += n;
    }
    for (let o: usize = 0; o < bytes; o += 16) flush(scratch + o, 0, v128.load(ints + o), 0, zero, scale + (o & 112));
  }
  for (const e = scratch + bytes; scratch < e; scratch += 128, y += strideBytes, qScale += 4)
    finish(scratch, y, load<f32>(qScale), add);
}

/** As matmulTernaryWide, for the tokens [first, last): same bits. */
export function matmulPairs(
  w: usize, scales: usize, q: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  first: i32, last: i32, begin: i32, end: i32, scratch: usize,
): void {
  const wide = scratch + ROW_SUMS_BYTES, blocks = cols / blockCols;
  for (let t = first; t < last; ) {
    const group = groupOf(last - t), at = wide + (<usize>((t - first) * cols) << 1);
    for (let i = 0; i < group; i++, t++) widenQuads(q + <usize>t * cols, at + (i << 3), cols, <usize>group << 3);
  }
  for (let r = begin; r < end; r += 32)
    rows32(
      w + ((<usize>r * cols) >> 2), scales + ((<usize>r * blocks) << 2), wide, qScale + (first << 2),
      y + ((<usize>first * yStride + r) << 2), cols, blockCols, <usize>yStride << 2, add, last - first, scratch,
    );
}
