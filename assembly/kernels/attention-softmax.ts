// Softmax of integer attention: a block of positions of a row, against the largest score so far.

// A row's record of ROW_BYTES: byte offsets.
/** f32: what turns an integer dot times its key's scale into a score, base 2. */
export const ROW_SCALE: usize = 0;
/** i32: what undoes the offset of the keys' codes in a dot. */
export const KEY_BIAS: usize = 4;
/** i32: what undoes the offset of the values' codes (int4) in a dot. */
export const VALUE_BIAS: usize = 8;
/** f32: the largest score so far. */
export const LARGEST: usize = 12;
/** f32: what a step of the block's weights stands for; 0 if they add nothing. */
export const STEP: usize = 16;
/** f32: steps per unit. */
export const STEPS: usize = 20;
/** i32: positions of the row that are left, from this block on. */
export const LEFT: usize = 24;
/** v128: the sum of the weights so far, in lanes. */
export const SUMS: usize = 32;
export const ROW_BYTES: usize = 64;

/** In memory, not constants: V8 would build a vector constant anew at each use. */
const EXP: usize = memory.data<f32>([
  -126, -126, -126, -126, 12582912, 12582912, 12582912, 12582912,
  0.009582853, 0.009582853, 0.009582853, 0.009582853, 0.055906426, 0.055906426, 0.055906426, 0.055906426,
  0.24024099, 0.24024099, 0.24024099, 0.24024099, 0.6931242, 0.6931242, 0.6931242, 0.6931242, 1, 1, 1, 1,
]);
const LANES: usize = memory.data<i32>([0, 1, 2, 3]);

/**
 * 2^x for x <= 0, relative error below 3e-6 (the weights become whole numbers of two or three digits), exact for whole x;
 * x is clamped to -126. Adding 1.5 * 2^23 rounds to a whole number, which is then in the low bits.
 */
@inline function exp2F32x4(x: v128, low: v128, magic: v128, c4: v128, c3: v128, c2: v128, c1: v128, c0: v128): v128 {
  x = f32x4.pmax(x, low);
  const n = f32x4.add(x, magic), r = f32x4.sub(x, f32x4.sub(n, magic));
  let p = f32x4.add(f32x4.mul(r, c4), c3);
  p = f32x4.add(f32x4.mul(p, r), c2);
  p = f32x4.add(f32x4.mul(p, r), c1);
  p = f32x4.add(f32x4.mul(p, r), c0);
  return i32x4.add(p, i32x4.shl(n, 23));
}

/** All ones in the lanes of positions before `left`; the first lane is position i. */
@inline function before(left: i32, i: i32): v128 {
  return i32x4.gt_s(i32x4.splat(left - i), v128.load(LANES));
}

/** The largest lane, in all lanes. No branch: a wrong guess would keep rows from overlapping. */
@inline function maxLanes(v: v128): v128 {
  v = f32x4.pmax(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.pmax(v, i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
}

/** LARGEST becomes the largest score with this block; what was added so far was relative to a smaller one. */
export function raise(scores: usize, row: usize, acc: usize, dim: i32, count: i32): void {
  const end = scores + (<usize>count << 2), left = load<i32>(row, LEFT);
  if (left < count) {
    const low = f32x4.splat(-3e38);
    for (let p = scores, i = 0; p < end; p += 16, i += 4) v128.store(p, v128.bitselect(v128.load(p), low, before(left, i)));
  }
  let m0 = v128.load(scores), m1 = v128.load(scores, 16), m2 = v128.load(scores, 32), m3 = v128.load(scores, 48);
  for (let p = scores + 64; p < end; p += 64) {
    m0 = f32x4.pmax(m0, v128.load(p));
    m1 = f32x4.pmax(m1, v128.load(p, 16));
    m2 = f32x4.pmax(m2, v128.load(p, 32));
    m3 = f32x4.pmax(m3, v128.load(p, 48));
  }
  const old = v128.load32_splat(row, LARGEST);
  const most = f32x4.pmax(old, maxLanes(f32x4.pmax(f32x4.pmax(m0, m1), f32x4.pmax(m2, m3))));
  if (f32x4.extract_lane(most, 0) > f32x4.extract_lane(old, 0)) {
    v128.store32_lane(row, most, 0, LARGEST);
    const shrink = exp2F32x4(
      f32x4.sub(old, most), v128.load(EXP), v128.load(EXP, 16), v128.load(EXP, 32), v128.load(EXP, 48), v128.load(EXP, 64),
      v128.load(EXP, 80), v128.load(EXP, 96),
    );
    v128.store(row, f32x4.mul(v128.load(row, SUMS), shrink), SUMS);
    for (const e = acc + (<usize>dim << 2); acc < e; acc += 16) v128.store(acc, f32x4.mul(v128.load(acc), shrink));
  }
}

/** Scores become weights times the values' scales; the weights are added to SUMS. `steps`: the largest code. */
export function weigh(scores: usize, row: usize, scales: usize, count: i32, steps: f32): void {
  const end = scores + (<usize>count << 2), left = load<i32>(row, LEFT);
  const low = v128.load(EXP), magic = v128.load(EXP, 16), c4 = v128.load(EXP, 32), c3 = v128.load(EXP, 48);
  const c2 = v128.load(EXP, 64), c1 = v128.load(EXP, 80), c0 = v128.load(EXP, 96), most = v128.load32_splat(row, LARGEST);
  let sum = v128.load(row, SUMS), top = f32x4.splat(0);
  for (let p = scores, i = 0; p < end; p += 16, scales += 16, i += 4) {
    let w = exp2F32x4(f32x4.sub(v128.load(p), most), low, magic, c4, c3, c2, c1, c0), x = f32x4.mul(w, v128.load(scales));
    if (left < count) {
      const mask = before(left, i);
      w = v128.and(w, mask);
      x = v128.and(x, mask);
    }
    sum = f32x4.add(sum, w);
    top = f32x4.pmax(top, x);
    v128.store(p, x);
  }
  v128.store(row, sum, SUMS);
  top = maxLanes(top);
  // A block this small adds nothing: its codes, whatever they are, count for 0.
  const s = f32x4.splat(steps), step = v128.and(f32x4.div(top, s), f32x4.gt(top, f32x4.splat(1e-30)));
  v128.store32_lane(row, step, 0, STEP);
  v128.store32_lane(row, f32x4.div(s, top), 0, STEPS);
}

@inline function wholes(x: usize, steps: v128, magic: v128): v128 {
  return i32x4.sub(f32x4.add(f32x4.mul(v128.load(x), steps), magic), magic);
}

/** Weights become codes, u8 [count / 4][this row and its neighbour][4], turned by `flip`; VALUE_BIAS is -8 * their sum. */
export function encode(weights: usize, codes: usize, row: usize, count: i32, flip: i32): void {
  const steps = v128.load32_splat(row, STEPS), magic = v128.load(EXP, 16), f = i8x16.splat(<i8>flip);
  let sum = i32x4.splat(0);
  for (const end = weights + (<usize>count << 2); weights < end; weights += 64, codes += 32) {
    const a = wholes(weights, steps, magic), b = wholes(weights + 16, steps, magic);
    const c = wholes(weights + 32, steps, magic), d = wholes(weights + 48, steps, magic);
    sum = i32x4.add(sum, i32x4.add(i32x4.add(a, b), i32x4.add(c, d)));
    const v = v128.xor(i8x16.narrow_i16x8_u(i16x8.narrow_i32x4_s(a, b), i16x8.narrow_i32x4_s(c, d)), f);
    v128.store32_lane(codes, v, 0);
    v128.store32_lane(codes, v, 1, 8);
    v128.store32_lane(codes, v, 2, 16);
    v128.store32_lane(codes, v, 3, 24);
  }
  const t = i32x4.add(sum, i8x16.shuffle(sum, sum, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  store<i32>(row, -8 * (i32x4.extract_lane(t, 0) + i32x4.extract_lane(t, 1)), VALUE_BIAS);
}
