// exp and log of doubles, made of + - * / and exponent bits only. Math.exp and its kin differ in their last
// bits between JavaScript engines, and one bit is enough to change a sampled token: results go through these.

const LN2_HIGH = 0.6931471803691238; // ln 2 to 32 bits: its product with an exponent is exact
const LN2_LOW = 1.9082149292705877e-10;
const INV_LN2 = Math.LOG2E;

const double = new Float64Array(1);
const words = new Uint32Array(double.buffer);
/** Which of the two words holds sign and exponent. */
const HIGH = new Uint8Array(new Uint16Array([1]).buffer)[0] === 1 ? 1 : 0;

/** 2^k for k from -1022 to 1023. */
function powerOfTwo(k: number): number {
  words[HIGH] = (k + 1023) << 20;
  words[1 - HIGH] = 0;
  return double[0]!;
}

/** e^x to within 1 ulp; subnormal results to within 1 step. */
export function exp(x: number): number {
  if (x > 709.79) return Infinity;
  if (x < -745.14) return 0;
  if (Number.isNaN(x)) return x;
  // x = k ln 2 + r + low with |r| <= ln(2) / 2; e^r by its series up to r^13.
  const k = Math.floor(x * INV_LN2 + 0.5);
  const high = x - k * LN2_HIGH;
  const r = high - k * LN2_LOW;
  const low = high - r - k * LN2_LOW;
  let p = 1 / 6227020800;
  p = p * r + 1 / 479001600;
  p = p * r + 1 / 39916800;
  p = p * r + 1 / 3628800;
  p = p * r + 1 / 362880;
  p = p * r + 1 / 40320;
  p = p * r + 1 / 5040;
  p = p * r + 1 / 720;
  p = p * r + 1 / 120;
  p = p * r + 1 / 24;
  p = p * r + 1 / 6;
  p = p * r + 0.5;
  // 1 + r loses the end of r: what is lost is added with the small terms.
  const sum = 1 + r;
  const value = sum + (1 - sum + r + (p * r * r + low));
  if (k > 1023) return value * 2 * powerOfTwo(k - 1);
  if (k < -1022) return value * powerOfTwo(k + 60) * powerOfTwo(-60);
  return value * powerOfTwo(k);
}

/** The natural logarithm to within 1 ulp. -Infinity for 0, NaN below. */
export function log(x: number): number {
  if (!(x > 0)) return x === 0 ? -Infinity : NaN;
  if (x === Infinity) return x;
  let k = 0;
  let normal = x;
  if (x < 2 ** -1022) {
    normal = x * 2 ** 54;
    k = -54;
  }
  // x = m 2^k with m from sqrt(1/2) to sqrt(2); ln m = 2 artanh(s), s = f / (2 + f), f = m - 1.
  double[0] = normal;
  k += (words[HIGH]! >>> 20) - 1023;
  words[HIGH] = (words[HIGH]! & 0xfffff) | 0x3ff00000;
  let m = double[0]!;
  if (m > Math.SQRT2) {
    m /= 2;
    k++;
  }
  const f = m - 1;
  const s = f / (2 + f);
  const s2 = s * s;
  let p = 2 / 23;
  for (let n = 21; n >= 3; n -= 2) p = p * s2 + 2 / n;
  // 2 s = f - s f: the large term, f, is exact, so that rounding touches the small ones only.
  const small = s * (f - p * s2);
  return k * LN2_HIGH + (f - (small - k * LN2_LOW));
}
