// Activations as int8 digits and the products with them, one number at a time. The f32 steps are rounded in the
// documented order, so the kernels are compared bit for bit.
import { roundHalfEven } from './f16.ts';

const { fround } = Math;

export interface Digits {
  /** [digits][T, cols], the highest first: x ~ (255^(n-1) q[0] + ... + q[n-1]) * scale */
  q: Int8Array<ArrayBuffer>[];
  /** [T, cols / blockCols] */
  scales: Float32Array<ArrayBuffer>;
}

/** rows of `dim` numbers -> digits; the columns from dim on are 0. */
export function toDigits(rows: readonly Float32Array[], cols: number, blockCols: number, count: number): Digits {
  const q = Array.from({ length: count }, () => new Int8Array(rows.length * cols));
  const scales = new Float32Array((rows.length * cols) / blockCols);
  let most = 0;
  for (let d = 0; d < count; d++) most = most * 255 + 127;
  rows.forEach((row, t) => {
    for (let b = 0; b < cols / blockCols; b++) {
      const block = row.slice(b * blockCols, (b + 1) * blockCols);
      const largest = block.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
      if (largest <= fround(1e-30)) continue;
      scales[(t * cols) / blockCols + b] = largest / most;
      const inverse = fround(most / largest);
      block.forEach((v, i) => {
        let whole = Math.min(most, Math.max(-most, roundHalfEven(fround(v * inverse))));
        for (let d = count - 1; d >= 0; d--) {
          // The nearest multiple of 255: what is left lies within 127, for 255 is odd.
          const higher = d === 0 ? 0 : Math.round(whole / 255);
          q[d]![t * cols + b * blockCols + i] = whole - 255 * higher;
          whole = higher;
        }
      });
    }
  });
  return { q, scales };
}

/** y[t][r] = sum over blocks of f32(int sum) * (scale * activation scale), in rising order. weights [rows, cols]. */
export function matmulDigits(
  m: { rows: number; cols: number; blockCols: number; weights: Int8Array; scales: Float32Array },
  d: Digits,
  blockCols: number,
): Float32Array<ArrayBuffer> {
  const { rows, cols } = m;
  const blocks = cols / blockCols;
  const tokens = d.q[0]!.length / cols;
  const number = (at: number) => d.q.reduce((n, digit) => n * 255 + digit[at]!, 0);
  const y = new Float32Array(tokens * rows);
  for (let t = 0; t < tokens; t++)
    for (let r = 0; r < rows; r++) {
      let acc = 0;
      for (let b = 0; b < blocks; b++) {
        let sum = 0;
        for (let k = b * blockCols; k < (b + 1) * blockCols; k++)
          sum += m.weights[r * cols + k]! * number(t * cols + k);
        const scale = m.scales[r * (cols / m.blockCols) + Math.floor((b * blockCols) / m.blockCols)]!;
        acc = fround(acc + fround(fround(sum) * fround(scale * d.scales[t * blocks + b]!)));
      }
      y[t * rows + r] = acc;
    }
  return y;
}

/** y[r] = scale * xScale * sum of products of signs; weights [rows, cols] and x [cols] of -1, +1. */
export function matmulSigns(weights: Int8Array, scales: Float32Array, x: Int8Array, xScale: number): Float32Array {
  return scales.map((scale, r) => {
    let sum = 0;
    for (let k = 0; k < x.length; k++) sum += weights[r * x.length + k]! * x[k]!;
    return fround(fround(scale * xScale) * sum);
  });
}
