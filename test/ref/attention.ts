// Causal attention of one query over `count` cached positions, all in f64.

/** q [headDim]; keys, values [count, headDim]. Returns softmax(q . k * scale) v. */
export function attend(
  q: ArrayLike<number>,
  keys: ArrayLike<number>,
  values: ArrayLike<number>,
  headDim: number,
  count: number,
  scale: number,
): Float64Array {
  const scores = new Float64Array(count);
  for (let j = 0; j < count; j++) {
    let dot = 0;
    for (let d = 0; d < headDim; d++) dot += q[d]! * keys[j * headDim + d]!;
    scores[j] = dot * scale;
  }
  const most = scores.reduce((m, s) => Math.max(m, s), -Infinity);
  const weights = scores.map((s) => Math.exp(s - most));
  const total = weights.reduce((sum, w) => sum + w, 0);
  const out = new Float64Array(headDim);
  for (let j = 0; j < count; j++)
    for (let d = 0; d < headDim; d++) out[d] = out[d]! + (weights[j]! / total) * values[j * headDim + d]!;
  return out;
}
