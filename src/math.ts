// e^x and ln x in f64 from + - * / alone: Math.exp and Math.log differ in their last bits between runtimes, and the same
// seed must give the same text on all of them.

/** ln 2 in two parts; the first has 32 bits, so its product with an exponent is exact. */
const LN2_HIGH = 0.69314718036912381649;
const LN2_LOW = 1.90821492927058770002e-10;

const bits = new DataView(new ArrayBuffer(8));

/** 2^n for -1022 <= n <= 1023. */
function powerOfTwo(n: number): number {
  bits.setUint32(0, (n + 1023) * 2 ** 20);
  bits.setUint32(4, 0);
  return bits.getFloat64(0);
}

/** e^x, within 2 units in the last place; 0 below -745.2, Infinity above 709.8. */
export function exp(x: number): number {
  if (Number.isNaN(x)) return x;
  if (x < -746) return 0;
  if (x > 710) return Infinity;
  const n = Math.round(x / (LN2_HIGH + LN2_LOW));
  const r = x - n * LN2_HIGH - n * LN2_LOW;
  // The series of e^r - 1 for |r| <= ln 2 / 2, from the smallest term on.
  let p = 0;
  for (let i = 14; i >= 1; i--) p = ((1 + p) * r) / i;
  const half = Math.trunc(n / 2);
  return (1 + p) * powerOfTwo(half) * powerOfTwo(n - half);
}

/** ln x, within 2 units in the last place; -Infinity at 0, NaN below. */
export function log(x: number): number {
  if (x === 0) return -Infinity;
  if (!(x > 0)) return NaN;
  if (x === Infinity) return Infinity;
  if (x < 2 ** -1022) return log(x * 2 ** 54) - 54 * (LN2_HIGH + LN2_LOW);
  bits.setFloat64(0, x);
  const high = bits.getUint32(0);
  let exponent = (high >>> 20) - 1023;
  bits.setUint32(0, (high & 0xfffff) | (1023 << 20));
  let m = bits.getFloat64(0); // 1 <= m < 2
  if (m > Math.SQRT2) {
    m /= 2;
    exponent++;
  }
  // ln m = 2 artanh s, s = (m - 1) / (m + 1), |s| < 0.172
  const s = (m - 1) / (m + 1);
  const z = s * s;
  let p = 0;
  for (let i = 23; i >= 3; i -= 2) p = (p + 1 / i) * z;
  return exponent * LN2_HIGH + (exponent * LN2_LOW + 2 * s * (1 + p));
}
