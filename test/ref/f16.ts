// IEEE half precision by its definition: sign, 5 bits of exponent, 10 of mantissa. Everything in f64, so exact.

/** Value of the bits. Exponent 31 is read as one more binade (no Inf, no NaN): what a cache and a weight file hold. */
export function f16ToF64(bits: number): number {
  const exponent = (bits >> 10) & 31;
  const mantissa = bits & 1023;
  const magnitude = exponent === 0 ? mantissa * 2 ** -24 : (1024 + mantissa) * 2 ** (exponent - 25);
  return bits & 0x8000 ? -magnitude : magnitude;
}

/** Bits of the nearest f16, ties to even, clamped to +-65504. */
export function f64ToF16(x: number): number {
  const sign = x < 0 || Object.is(x, -0) ? 0x8000 : 0;
  const a = Math.min(Math.abs(x), 65504);
  // The unit of the last place: 2^-24 below 2^-14, else 2^(e - 10) in the binade [2^e, 2^(e + 1)).
  const e = Math.max(-14, Math.floor(Math.log2(a || 2 ** -24)));
  const exponent = a < 2 ** e ? e - 1 : a >= 2 ** (e + 1) ? e + 1 : e;
  const binade = Math.max(-14, exponent);
  const units = roundHalfEven(a / 2 ** (binade - 10));
  // units is 0..1023 for subnormals, 1024..2048 above; 2048 carries into the exponent by itself.
  return sign | ((binade + 14) * 1024 + units);
}

export function roundHalfEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  if (rest !== 0.5) return rest < 0.5 ? low : low + 1;
  return low % 2 === 0 ? low : low + 1;
}
