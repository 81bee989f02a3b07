// The packings, from their drawings: written with loops over rows and columns, and read back one weight at a time.
//   V32  32 rows x 4 columns = 32 bytes; row 8 f + 4 h + lane, column c: bits 2 f of byte 16 h + 4 lane + c; code = w + 1
//   B32  32 rows x 4 columns = 16 bytes; row 4 f + lane, column c: bit f of byte 4 lane + c; 1 is +1
//   H16  16 rows x 4 columns = 64 bytes; row r, column c: byte 4 r + c; u8 = w + 128
import { roundHalfEven } from './f16.ts';

/** weights [rows, cols] of -1, 0, +1; rows a multiple of 32, cols of 4. */
export function packV32(weights: Int8Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((rows * cols) / 4);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const at = addressV32(cols, row, col);
      out[at.byte] = out[at.byte]! | ((weights[row * cols + col]! + 1) << at.shift);
    }
  return out;
}

/** The weight at (row, col). */
export function readV32(packed: Uint8Array, cols: number, row: number, col: number): number {
  const at = addressV32(cols, row, col);
  return ((packed[at.byte]! >> at.shift) & 3) - 1;
}

function addressV32(cols: number, row: number, col: number): { byte: number; shift: number } {
  const field = (row % 32) >> 3;
  const half = ((row % 32) >> 2) & 1;
  const lane = row % 4;
  const block = (row >> 5) * cols * 8 + (col >> 2) * 32;
  return { byte: block + half * 16 + lane * 4 + (col % 4), shift: 2 * field };
}

/** weights [rows, cols] of -1, +1; rows a multiple of 32, cols of 4. */
export function packB32(weights: Int8Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((rows * cols) / 8);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) {
      const byte = (row >> 5) * cols * 4 + (col >> 2) * 16 + (row % 4) * 4 + (col % 4);
      if (weights[row * cols + col]! > 0) out[byte] = out[byte]! | (1 << ((row % 32) >> 2));
    }
  return out;
}

/** scales [rows, blocks] -> [rows / 32, blocks, 32]: the 32 rows of a V32 block side by side. */
export function packScales(scales: Float32Array, rows: number, blocks: number): Float32Array<ArrayBuffer> {
  const out = new Float32Array(rows * blocks);
  for (let row = 0; row < rows; row++)
    for (let b = 0; b < blocks; b++) out[((row >> 5) * blocks + b) * 32 + (row % 32)] = scales[row * blocks + b]!;
  return out;
}

/** weights [rows, cols] i8; rows a multiple of 16, cols of 4. */
export function packH16(weights: Int8Array, rows: number, cols: number): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(rows * cols);
  for (let row = 0; row < rows; row++)
    for (let col = 0; col < cols; col++) out[addressH16(cols, row, col)] = weights[row * cols + col]! + 128;
  return out;
}

/** The weight at (row, col). */
export function readH16(packed: Uint8Array, cols: number, row: number, col: number): number {
  return packed[addressH16(cols, row, col)]! - 128;
}

function addressH16(cols: number, row: number, col: number): number {
  return (row >> 4) * 16 * cols + (col >> 2) * 64 + (row % 16) * 4 + (col % 4);
}

/** f32 rows -> int8 with a scale per row, max |row| / 127; rows below 1e-30 become zeros. In f32, step by step. */
export function quantizeRows(
  x: Float32Array,
  rows: number,
  cols: number,
): { weights: Int8Array<ArrayBuffer>; scales: Float32Array<ArrayBuffer> } {
  const weights = new Int8Array(rows * cols);
  const scales = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    const values = x.subarray(row * cols, (row + 1) * cols);
    const most = values.reduce((m, v) => Math.max(m, Math.abs(v)), 0);
    scales[row] = most / 127;
    const inverse = most > Math.fround(1e-30) ? Math.fround(127 / most) : 0;
    values.forEach((v, col) => {
      weights[row * cols + col] = roundHalfEven(Math.fround(v * inverse));
    });
  }
  return { weights, scales };
}
