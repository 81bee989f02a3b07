// Measures of how far our logits are from another engine's.

/** sqrt(sum (a - b)^2 / sum b^2) */
export function relativeRms(a: Float32Array, b: Float32Array): number {
  if (a.length !== b.length) throw new Error(`lengths differ: ${a.length}, ${b.length}`);
  let error = 0;
  let norm = 0;
  for (let i = 0; i < b.length; i++) {
    error += (a[i]! - b[i]!) ** 2;
    norm += b[i]! ** 2;
  }
  return Math.sqrt(error / norm);
}

/** The index of the largest number, the first of equals. */
export function argmax(row: Float32Array): number {
  let best = 0;
  for (let i = 1; i < row.length; i++) if (row[i]! > row[best]!) best = i;
  return best;
}

/** -log softmax(row)[id], in f64. */
export function negativeLogLikelihood(row: Float32Array, id: number): number {
  let most = -Infinity;
  for (const v of row) most = Math.max(most, v);
  let sum = 0;
  for (const v of row) sum += Math.exp(v - most);
  return most + Math.log(sum) - row[id]!;
}

/** Mean NLL of tokens 1 .. n - 1 from the rows before them. */
export function meanNll(rows: readonly Float32Array[], tokens: readonly number[]): number {
  let sum = 0;
  for (let i = 0; i + 1 < tokens.length; i++) sum += negativeLogLikelihood(rows[i]!, tokens[i + 1]!);
  return sum / (tokens.length - 1);
}

export async function collect<T>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}
