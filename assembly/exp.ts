// The one exponential of the engine: plain multiplications and additions, so that every runtime gives the same bits.

/**
 * e^x, relative error below 2e-7. x is clamped to [-87, 88]: the results are never 0, subnormal or Inf.
 * x = n ln 2 + r with |r| <= ln 2 / 2; the series of e^r up to r^7; 2^n by the exponent bits.
 */
@inline export function expF32x4(x: v128): v128 {
  x = f32x4.pmin(f32x4.pmax(x, f32x4.splat(-87)), f32x4.splat(88));
  const n = f32x4.nearest(f32x4.mul(x, f32x4.splat(1.44269504088896341)));
  // ln 2 in two parts: the first has 15 bits, so its product with n is exact.
  let r = f32x4.sub(x, f32x4.mul(n, f32x4.splat(0.693145751953125)));
  r = f32x4.sub(r, f32x4.mul(n, f32x4.splat(1.42860682030941723e-6)));
  let p = f32x4.splat(1.9841269841e-4);
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.3888888889e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(8.3333333333e-3));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(4.1666666667e-2));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1.6666666667e-1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(0.5));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  p = f32x4.add(f32x4.mul(p, r), f32x4.splat(1));
  return i32x4.add(p, i32x4.shl(i32x4.trunc_sat_f32x4_s(n), 23));
}
