// IEEE half to single precision, exact for subnormals, infinities and NaN. A table, because models store hundreds of
// millions of halves. Knows nothing of files.

let table: Float32Array | undefined;

/** All 65536 halves as f32, indexed by their bits; made at the first call (256 KiB). */
export function f16Table(): Float32Array {
  if (table) return table;
  table = new Float32Array(65536);
  for (let bits = 0; bits < 65536; bits++) table[bits] = halfToNumber(bits);
  return table;
}

function halfToNumber(bits: number): number {
  const sign = bits & 0x8000 ? -1 : 1;
  const exponent = (bits >> 10) & 31;
  const fraction = bits & 1023;
  if (exponent === 31) return fraction ? Number.NaN : sign * Number.POSITIVE_INFINITY;
  return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
}

/** The half nearest to `value`, ties to even; beyond 65504 it becomes infinity. */
export function toF16Bits(value: number): number {
  if (Number.isNaN(value)) return 0x7e00;
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  if (size >= 65520) return sign | 0x7c00;
  const exponent = Math.max(-14, Math.floor(Math.log2(size)));
  // The unit in the last place is a power of two, so the division is exact and only the rounding rounds.
  const steps = size / 2 ** (exponent - 10);
  let whole = Math.floor(steps);
  const rest = steps - whole;
  if (rest > 0.5 || (rest === 0.5 && whole % 2 === 1)) whole++;
  // For a normal number `whole` is 1024..2048 and the carry runs into the exponent by itself.
  return sign | (whole < 1024 ? whole : (exponent + 14) * 1024 + whole);
}
