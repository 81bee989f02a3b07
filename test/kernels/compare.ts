// How results are compared: bit for bit, within a named tolerance, and among variants.

/** Relative error allowed to sums in f32, of the sum of magnitudes: some roundings of 2^-24, never a lost term. */
export const SUM_TOLERANCE = 1e-6;
/** Relative error of the engine's exponential, as its docstring claims; twice that after more f32 steps. */
export const EXP_TOLERANCE = 2e-7;
/** Attention, of the largest value mixed: the scores' roundings pass through the exponential. */
export const ATTENTION_TOLERANCE = 4e-6;
/** Cosines and sines as f32 of values up to 1: half a unit in the last place, and a little. */
export const ANGLE_TOLERANCE = 6.1e-8;

type Numbers = Int8Array | Uint8Array | Uint16Array | Float32Array;

/** Every element has the same bits: 0 and -0 differ. */
export function sameBits(got: Numbers, want: Numbers, what: string): void {
  if (got.constructor !== want.constructor) throw new Error(`${what}: arrays of different types`);
  if (got.length !== want.length) throw new Error(`${what}: ${got.length} elements, expected ${want.length}`);
  const a = new Uint8Array(got.buffer, got.byteOffset, got.byteLength);
  const b = new Uint8Array(want.buffer, want.byteOffset, want.byteLength);
  if (Buffer.compare(a, b) === 0) return;
  const at = a.findIndex((byte, i) => byte !== b[i]);
  const i = Math.floor(at / got.BYTES_PER_ELEMENT);
  throw new Error(`${what}: element ${i} of ${got.length} is ${got[i]}, expected ${want[i]}`);
}

/** |got - want| <= allowed(i) for every element; a NaN fails. */
export function within(
  got: ArrayLike<number>,
  want: ArrayLike<number>,
  allowed: (i: number) => number,
  what: string,
): void {
  if (got.length !== want.length) throw new Error(`${what}: ${got.length} elements, expected ${want.length}`);
  for (let i = 0; i < want.length; i++)
    if (!(Math.abs(got[i]! - want[i]!) <= allowed(i)))
      throw new Error(`${what}: element ${i} is ${got[i]}, expected ${want[i]} within ${allowed(i)}`);
}

const seen = new Map<string, Float32Array>();

/** The first variant's result under this name is what the others must give, bit for bit. */
export function agree(key: string, result: Float32Array): void {
  const first = seen.get(key);
  if (first) sameBits(result, first, `${key}, against the first variant`);
  else seen.set(key, result.slice());
}

const cache = new Map<string, unknown>();

/** A case's data and reference are computed once, not once for each variant. */
export function once<T>(key: string, make: () => T): T {
  if (!cache.has(key)) cache.set(key, make());
  return cache.get(key) as T;
}
