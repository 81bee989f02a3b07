// The gates of the feed-forward network: the first with its f32 roundings, the second in f64.
const { fround } = Math;

/** max(gate, 0)^2 * up */
export function reluSquaredMul(gate: Float32Array, up: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(gate, (g, i) => {
    const r = Math.max(g, 0);
    return fround(r * r) * up[i]!;
  });
}

/** gate / (1 + e^-gate) * up */
export function siluMul(gate: Float32Array, up: Float32Array): Float64Array {
  return Float64Array.from(gate, (g, i) => (g / (1 + Math.exp(-g))) * up[i]!);
}
