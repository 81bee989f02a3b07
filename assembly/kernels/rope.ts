// Rotary position embedding. Angles are made once per token in f64, then every head is turned with them.
import { POSITION } from '../layout';

// pi/2 in three parts of at most 33 bits: k * part is exact for k below 2^20.
const PIO2_A: f64 = 1.57079632673412561417;
const PIO2_B: f64 = 6.07710050630396597660e-11;
const PIO2_C: f64 = 2.02226624879595063154e-21;

/** sin r / r for |r| <= pi/4, by its series in r^2. */
@inline function sinSeries(z: f64): f64 {
  let p: f64 = 1.0 / 355687428096000.0;
  p = p * z - 1.0 / 1307674368000.0;
  p = p * z + 1.0 / 6227020800.0;
  p = p * z - 1.0 / 39916800.0;
  p = p * z + 1.0 / 362880.0;
  p = p * z - 1.0 / 5040.0;
  p = p * z + 1.0 / 120.0;
  p = p * z - 1.0 / 6.0;
  return p * z + 1.0;
}

/** cos r for |r| <= pi/4, by its series in r^2. */
@inline function cosSeries(z: f64): f64 {
  let p: f64 = 1.0 / 20922789888000.0;
  p = p * z - 1.0 / 87178291200.0;
  p = p * z + 1.0 / 479001600.0;
  p = p * z - 1.0 / 3628800.0;
  p = p * z + 1.0 / 40320.0;
  p = p * z - 1.0 / 720.0;
  p = p * z + 1.0 / 24.0;
  p = p * z - 0.5;
  return p * z + 1.0;
}

/**
 * table[t] = cos[half] then sin[half] of (position + t) * freqs[j], times scale      tokens [begin, end)
 *   freqs [half] f64, radians per position     divisors [half] f32 that angles are divided by, or 0
 *   table [T, 2, half] f32     scale: YaRN's magnitude, else 1
 */
export function ropeAngles(
  freqs: usize, divisors: usize, table: usize, control: usize, half: i32, scale: f32, begin: i32, end: i32,
): void {
  const position = load<i32>(control + POSITION);
  for (let t = begin; t < end; t++) {
    let c = table + ((<usize>t * half) << 3);
    const s = <usize>half << 2;
    for (let j = 0; j < half; j++, c += 4) {
      let angle = <f64>(position + t) * load<f64>(freqs + (j << 3));
      if (divisors) angle /= <f64>load<f32>(divisors + (j << 2));
      const k = nearest<f64>(angle * 0.636619772367581343);
      const r = ((angle - k * PIO2_A) - k * PIO2_B) - k * PIO2_C, z = r * r;
      const sine = r * sinSeries(z), cosine = cosSeries(z);
      const quadrant = <i32>(<i64>k & 3);
      const a = quadrant & 1 ? sine : cosine, b = quadrant & 1 ? cosine : sine;
      store<f32>(c, <f32>(quadrant == 1 || quadrant == 2 ? -a : a) * scale);
      store<f32>(c + s, <f32>(quadrant >= 2 ? -b : b) * scale);
    }
  }
}

/**
 * Turns pairs (x[j], x[j + half]) of each head in place ("NEOX", half-split).       tokens [begin, end)
 *   x [T, xStride] f32: heads of headDim, the first 2 * half of each turned     table as ropeAngles makes it
 */
export function ropeHalfF32(
  x: usize, table: usize, heads: i32, headDim: i32, half: i32, xStride: i32, begin: i32, end: i32,
): void {
  const h = <usize>half << 2;
  for (let t = begin; t < end; t++) {
    const c = table + ((<usize>t * half) << 3);
    for (let i = 0; i < heads; i++) {
      let p = x + ((<usize>t * xStride + <usize>i * headDim) << 2), q = c;
      for (const e = c + (h & ~15); q < e; p += 16, q += 16) {
        const a = v128.load(p), b = v128.load(p + h), cos = v128.load(q), sin = v128.load(q + h);
        v128.store(p, f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)));
        v128.store(p + h, f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos)));
      }
      for (const e = c + h; q < e; p += 4, q += 4) {
        const a = load<f32>(p), b = load<f32>(p + h), cos = load<f32>(q), sin = load<f32>(q + h);
        store<f32>(p, a * cos - b * sin);
        store<f32>(p + h, a * sin + b * cos);
      }
    }
  }
}

/** Turns pairs (x[2j], x[2j + 1]) of each head in place ("NORM", interleaved). As ropeHalfF32 otherwise. */
export function ropePairsF32(
  x: usize, table: usize, heads: i32, headDim: i32, half: i32, xStride: i32, begin: i32, end: i32,
): void {
  const h = <usize>half << 2;
  for (let t = begin; t < end; t++) {
    const c = table + ((<usize>t * half) << 3);
    for (let i = 0; i < heads; i++) {
      let p = x + ((<usize>t * xStride + <usize>i * headDim) << 2), q = c;
      for (const e = c + (h & ~15); q < e; p += 32, q += 16) {
        const u = v128.load(p), v = v128.load(p, 16), cos = v128.load(q), sin = v128.load(q + h);
        const a = i8x16.shuffle(u, v, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
        const b = i8x16.shuffle(u, v, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
        const r = f32x4.sub(f32x4.mul(a, cos), f32x4.mul(b, sin)), s = f32x4.add(f32x4.mul(a, sin), f32x4.mul(b, cos));
        v128.store(p, i8x16.shuffle(r, s, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23));
        v128.store(p, i8x16.shuffle(r, s, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31), 16);
      }
      for (const e = c + h; q < e; p += 8, q += 4) {
        const a = load<f32>(p), b = load<f32>(p, 4), cos = load<f32>(q), sin = load<f32>(q + h);
        store<f32>(p, a * cos - b * sin);
        store<f32>(p, a * sin + b * cos, 4);
      }
    }
  }
}
