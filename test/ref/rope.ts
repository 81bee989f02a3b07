// Rotary position embedding: the angles in f64 with the platform's functions, the turn in f32.
const { fround } = Math;

/** cos and sin of position * freqs[j], in f64: what the kernel's own series is held against. */
export function ropeTable(position: number, freqs: Float64Array): { cos: Float64Array; sin: Float64Array } {
  return { cos: freqs.map((f) => Math.cos(position * f)), sin: freqs.map((f) => Math.sin(position * f)) };
}

/**
 * One head turned: pair j is (x[j], x[j + half]) for 'half', (x[2j], x[2j + 1]) for 'pairs'; elements from 2 * half on
 * stay. Products and their sums are rounded to f32 each.
 */
export function turn(
  x: Float32Array,
  cos: Float32Array,
  sin: Float32Array,
  pairing: 'half' | 'pairs',
): Float32Array<ArrayBuffer> {
  const half = cos.length;
  const out = Float32Array.from(x);
  for (let j = 0; j < half; j++) {
    const first = pairing === 'half' ? j : 2 * j;
    const second = pairing === 'half' ? j + half : 2 * j + 1;
    const a = x[first]!;
    const b = x[second]!;
    out[first] = fround(a * cos[j]!) - fround(b * sin[j]!);
    out[second] = fround(a * sin[j]!) + fround(b * cos[j]!);
  }
  return out;
}
