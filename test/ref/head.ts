// The head in two steps (packing H4), from its description: an int8 weight + 128 is 16 h + l; h and l stand in two planes.
//   high  16 rows x 8 columns = 64 bytes: byte 4 r + c has column c in its low nibble and column 4 + c in its high one
//   low   a row after the other, the same 4 bytes for 8 columns
// Logits are estimates from h, with 7.5 for l, but those of the rows that may be among the greatest k, which are exact.
import { matmulInt8Rows } from './matmul.ts';

const { fround } = Math;

export interface Planes {
  high: Uint8Array<ArrayBuffer>;
  low: Uint8Array<ArrayBuffer>;
}

/** weights [rows, cols] i8; rows a multiple of 16, cols of 8. */
export function packH4(weights: Int8Array, rows: number, cols: number): Planes {
  const planes = { high: new Uint8Array((rows * cols) / 2), low: new Uint8Array((rows * cols) / 2) };
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const u = weights[row * cols + col]! + 128;
      const { high, low, shift } = addressH4(cols, row, col);
      planes.high[high] = planes.high[high]! | ((u >> 4) << shift);
      planes.low[low] = planes.low[low]! | ((u & 15) << shift);
    }
  return planes;
}

/** The weight at (row, col). */
export function readH4({ high, low }: Planes, cols: number, row: number, col: number): number {
  const at = addressH4(cols, row, col);
  return 16 * ((high[at.high]! >> at.shift) & 15) + ((low[at.low]! >> at.shift) & 15) - 128;
}

function addressH4(cols: number, row: number, col: number): { high: number; low: number; shift: number } {
  const octet = col >> 3;
  const group = (row >> 4) * 8 * cols;
  return {
    high: group + octet * 64 + (row % 16) * 4 + (col % 4),
    low: (row * cols) / 2 + octet * 4 + (col % 4),
    shift: col % 8 < 4 ? 0 : 4,
  };
}

export interface Head {
  weights: Int8Array;
  /** [rows], rows padded to 32 */
  scales: Float32Array<ArrayBuffer>;
  cols: number;
}

/** One token's row of everything that the first step gives. */
export interface Estimates {
  sums: Int32Array<ArrayBuffer>;
  y: Float32Array<ArrayBuffer>;
  /** [rows / 32][greatest y, greatest y + reach] */
  peaks: Float32Array<ArrayBuffer>;
  /** How far each row's exact value may be from y. */
  reach: Float32Array<ArrayBuffer>;
}

/** q [cols] of one token. */
export function estimates({ weights, scales, cols }: Head, q: Int8Array, qScale: number): Estimates {
  const rows = scales.length;
  const total = q.reduce((sum, v) => sum + v, 0);
  const size = fround(Math.sqrt(fround(q.reduce((sum, v) => sum + v * v, 0))));
  const perScale = fround(fround(28 * size) / qScale);
  const out: Estimates = {
    sums: new Int32Array(rows),
    y: new Float32Array(rows),
    peaks: new Float32Array(rows / 16).fill(-Infinity),
    reach: Float32Array.from(scales, (scale) => fround(scale * perScale)),
  };
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let k = 0; k < cols; k++) sum += ((weights[row * cols + k]! + 128) >> 4) * q[k]!;
    out.sums[row] = sum;
    out.y[row] = fround(fround(32 * sum - 241 * total) * scales[row]!) / fround(2 * qScale);
    const peak = 2 * (row >> 5);
    out.peaks[peak] = Math.max(out.peaks[peak]!, out.y[row]!);
    out.peaks[peak + 1] = Math.max(out.peaks[peak + 1]!, fround(out.y[row]! + out.reach[row]!));
  }
  return out;
}

/** The int8 head's logits of one token. */
export function exactRows({ weights, scales, cols }: Head, q: Int8Array, qScale: number): Float32Array<ArrayBuffer> {
  return matmulInt8Rows(weights, scales, cols, q, Float32Array.of(qScale));
}

/** From estimates to what no row of the greatest k is below; rows made exact on the way are exact in the new y. */
export function threshold(
  e: Estimates,
  exact: Float32Array,
  k: number,
  rows: number,
): { threshold: number; y: Float32Array<ArrayBuffer> } {
  const y = e.y.slice();
  const blocks = Math.ceil(rows / 32);
  if (k === 0 || blocks < k) return { threshold: -Infinity, y };
  // The first of the best rows of each block.
  const best = Array.from({ length: blocks }, (_, b) => {
    const block = [...y.subarray(32 * b, Math.min(rows, 32 * b + 32))];
    return 32 * b + block.indexOf(Math.max(...block));
  });
  const most = Math.min(2 * k, blocks);
  const least = y[best.toSorted((i, j) => y[j]! - y[i]!)[most - 1]!]!;
  const first = best.filter((row) => y[row]! >= least).slice(0, most);
  const doubtful = first.some((row) => fround(exact[row]! - y[row]!) > fround(0.75 * e.reach[row]!));
  for (const row of first) y[row] = exact[row]!;
  const values = first.map((row) => exact[row]!).sort((a, b) => b - a);
  return { threshold: doubtful ? -Infinity : values[k - 1]!, y };
}

/** y with the exact values of all rows that may reach the threshold. */
export function refine(e: Estimates, y: Float32Array, exact: Float32Array, least: number): Float32Array<ArrayBuffer> {
  return Float32Array.from(y, (v, row) => (fround(v + e.reach[row]!) >= least ? exact[row]! : v));
}
