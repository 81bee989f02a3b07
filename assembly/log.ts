// The engine's logarithm: plain arithmetic, so that every runtime gives the same bits.

/**
 * log(1 + u) for u in [0, 2^60], relative error below 2e-7, near 0 too.
 * 1 + u = 2^k (1 + f) with 1 + f in [sqrt(1/2), sqrt(2)); log(1 + f) = 2 artanh s with s = f / (2 + f), by its series
 * up to s^9.
 */
@inline export function log1pF32x4(u: v128): v128 {
  const one = f32x4.splat(1);
  const bits = i32x4.add(f32x4.add(u, one), i32x4.splat(0x3f800000 - 0x3f3504f3));
  const k = i32x4.sub(i32x4.shr_u(bits, 23), i32x4.splat(127));
  // From u itself, not from the rounded 1 + u: 2^-k is exact, and so is 1 - 2^-k as far as it matters.
  const scale = i32x4.shl(i32x4.sub(i32x4.splat(127), k), 23);
  const f = f32x4.sub(f32x4.mul(u, scale), f32x4.sub(one, scale));
  const s = f32x4.div(f, f32x4.add(f, f32x4.splat(2))), z = f32x4.mul(s, s);
  let p = f32x4.splat(2.2222222222e-1);
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(2.8571428571e-1));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(0.4));
  p = f32x4.add(f32x4.mul(p, z), f32x4.splat(6.6666666667e-1));
  // 2 s = f - s f: the roundings of s and of the series then hang on a small part of the sum only.
  const small = f32x4.sub(f, f32x4.mul(s, f32x4.sub(f, f32x4.mul(p, z))));
  return f32x4.add(f32x4.mul(f32x4.convert_i32x4_s(k), f32x4.splat(6.9314718056e-1)), small);
}
