// Inlined helpers on vectors. Every reduction has one fixed order: results may not depend on who calls.

/** f16 -> f32 by multiplying the shifted bits with 2^112: exact for normal and subnormal numbers (no Inf, no NaN). */
const F16_SCALE: usize = memory.data<u32>([0x77800000, 0x77800000, 0x77800000, 0x77800000]);
const F16_BITS: usize = memory.data<u32>([0x8fffe000, 0x8fffe000, 0x8fffe000, 0x8fffe000]);

/** (lane 0 + lane 2) + (lane 1 + lane 3) */
@inline export function sumF32(v: v128): f32 {
  const t = f32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return f32x4.extract_lane(t, 0) + f32x4.extract_lane(t, 1);
}

@inline export function sumI32(v: v128): i32 {
  const t = i32x4.add(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  return i32x4.extract_lane(t, 0) + i32x4.extract_lane(t, 1);
}

@inline export function maxF32(v: v128): f32 {
  const t = f32x4.pmax(v, i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7));
  const a = f32x4.extract_lane(t, 0), b = f32x4.extract_lane(t, 1);
  return a < b ? b : a;
}

/** Four f16 at p as f32. Sign extension has put the sign where the shift leaves it: one mask keeps sign and number. */
@inline export function loadF16x4(p: usize): v128 {
  const bits = v128.and(i32x4.shl(v128.load_ext<i16>(p), 13), v128.load(F16_BITS));
  return f32x4.mul(bits, v128.load(F16_SCALE));
}

/** Four f32 as f16 in the low halves of i32 lanes: round to nearest even, clamped to +-65504 (a cache has no Inf). */
@inline export function toF16x4(v: v128): v128 {
  const bits = v128.and(v, i32x4.splat(0x7fffffff));
  const a = f32x4.pmin(bits, f32x4.splat(65504));
  const odd = v128.and(i32x4.shr_u(a, 13), i32x4.splat(1));
  const normal = i32x4.shr_u(i32x4.add(i32x4.add(a, odd), i32x4.splat(0xfff - (112 << 23))), 13);
  // Adding 0.5 leaves the subnormal's integer (its unit is 2^-24) in the low bits, rounded to even by the addition.
  const subnormal = i32x4.sub(f32x4.add(a, f32x4.splat(0.5)), f32x4.splat(0.5));
  const isNormal = f32x4.ge(a, f32x4.splat(6.103515625e-5));
  return v128.or(v128.bitselect(normal, subnormal, isNormal), i32x4.shr_u(v128.andnot(v, i32x4.splat(0x7fffffff)), 16));
}

/** Stores four f32 as f16 at p. */
@inline export function storeF16x4(p: usize, v: v128): void {
  const h = toF16x4(v);
  v128.store_lane<u64>(p, i8x16.shuffle(h, h, 0, 1, 4, 5, 8, 9, 12, 13, 0, 1, 4, 5, 8, 9, 12, 13), 0);
}

/** sum_k a[k] * b[k]; cols a multiple of 4. Four accumulators, (0 + 1) + (2 + 3). */
@inline export function dotF32(a: usize, b: usize, cols: i32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const e16 = a + (<usize>(cols & ~15) << 2), e = a + (<usize>cols << 2);
  for (; a < e16; a += 64, b += 64) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(a, 16), v128.load(b, 16)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(a, 32), v128.load(b, 32)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(a, 48), v128.load(b, 48)));
  }
  for (; a < e; a += 16, b += 16) s0 = f32x4.add(s0, f32x4.mul(v128.load(a), v128.load(b)));
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}
