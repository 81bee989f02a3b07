// Rows of a tensor as the virtual file has them, made from a checkpoint's float tensor: as they are, as scaled ternary
// weights, or quantised. Row by row, so that no tensor is ever in memory as a whole.

import { TernlightError } from '../errors.ts';
import { f32 } from './encodings/f32.ts';
import { rowsEncoding } from './encodings/rows.ts';
import type { FloatMatrix } from './hf-floats.ts';
import { quote } from './safetensors-text.ts';
import type { Encoding } from './types.ts';

export interface Rows {
  readonly encoding: Encoding;
  readonly count: number;
  /** Of one row in the virtual file. */
  readonly rowBytes: number;
  /** How many are made at once at best. */
  readonly pieceRows: number;
  /** The bytes of rows [row, row + count); the same however they are asked for. */
  make(row: number, count: number, signal?: AbortSignal): Promise<Uint8Array>;
}

/** The numbers as they are stored. */
export function denseRows(matrix: FloatMatrix): Rows {
  return {
    encoding: matrix.encoding,
    count: matrix.rows,
    rowBytes: matrix.rowBytes,
    pieceRows: matrix.pieceRows,
    make: (row, count, signal) => matrix.bytes(row, count, signal),
  };
}

/** The numbers as f32: what GGUF has for norms. */
export function wideRows(matrix: FloatMatrix): Rows {
  return {
    encoding: f32,
    count: matrix.rows,
    rowBytes: matrix.cols * 4,
    pieceRows: matrix.pieceRows,
    async make(row, count, signal) {
      return new Uint8Array((await matrix.numbers(row, count, signal)).buffer);
    },
  };
}

/** @param group weights that share a scale, as `ternaryGroup` found them */
export function ternaryRows(matrix: FloatMatrix, group: number): Rows {
  return coded(matrix, group, async (numbers, codes, scales) => {
    for (let g = 0; g < scales.length; g++) {
      let top = 0;
      for (let i = g * group; i < (g + 1) * group; i++) {
        const weight = numbers[i]!;
        top = Math.max(top, weight);
        top = Math.max(top, -weight);
        codes[i] = weight > 0 ? 2 : weight < 0 ? 0 : 1;
      }
      scales[g] = top;
    }
  });
}

/**
 * Masters of BitNet: divided by the mean of the matrix's sizes, rounded, cut to -1, 0, 1. Reads the tensor twice, once
 * for the mean.
 */
export function masterRows(matrix: FloatMatrix): Rows {
  let scale: number | undefined;
  return coded(matrix, matrix.cols, async (numbers, codes, scales, signal) => {
    scale ??= await meanSize(matrix, signal);
    // In f32, as torch does it.
    const inverse = Math.fround(1 / scale);
    for (let i = 0; i < numbers.length; i++) {
      const weight = Math.fround(numbers[i]! * inverse);
      codes[i] = weight > 0.5 ? 2 : weight < -0.5 ? 0 : 1; // 0.5 is halfway and goes to the even one, 0
    }
    scales.fill(scale);
  });
}

type Coder = (numbers: Float32Array, codes: Uint8Array, scales: Float32Array, signal?: AbortSignal) => Promise<void>;

function coded(matrix: FloatMatrix, group: number, encode: Coder): Rows {
  const { cols } = matrix;
  const encoding = rowsEncoding(cols, group);
  return {
    encoding,
    count: matrix.rows,
    rowBytes: encoding.blockBytes,
    pieceRows: matrix.pieceRows,
    async make(row, count, signal) {
      const numbers = await matrix.numbers(row, count, signal);
      const codes = new Uint8Array(count * cols);
      const scales = new Float32Array((count * cols) / group);
      await encode(numbers, codes, scales, signal);
      const bytes = new Uint8Array(count * encoding.blockBytes);
      encoding.encode!(codes, scales, count * cols, bytes);
      return bytes;
    },
  };
}

/** At least 1e-5, as in training, so that a matrix of zeros does not divide by zero. */
async function meanSize(matrix: FloatMatrix, signal?: AbortSignal): Promise<number> {
  const { rows, cols, pieceRows, name } = matrix;
  let sum = 0;
  for (let row = 0; row < rows; row += pieceRows) {
    const numbers = await matrix.numbers(row, Math.min(pieceRows, rows - row), signal);
    for (let i = 0; i < numbers.length; i++) sum += Math.abs(numbers[i]!);
  }
  if (Number.isFinite(sum)) return Math.fround(Math.max(sum / (rows * cols), 1e-5));
  throw new TernlightError(
    'invalid-file',
    `repository: tensor ${quote(name)} holds a weight that is infinite or not a number; the file is damaged`,
  );
}

const bonsaiGroup = 128;

/**
 * How many neighbouring weights share a scale if the matrix is ternary already: every weight is -m, 0 or m, with an m
 * of the row (then `cols`) or of each 128 (then 128). Undefined if it is not. Reads on until that is certain.
 */
export async function ternaryGroup(matrix: FloatMatrix, signal?: AbortSignal): Promise<number | undefined> {
  const { rows, cols, pieceRows } = matrix;
  const group = cols % bonsaiGroup === 0 ? bonsaiGroup : cols;
  let wholeRows = true;
  // The first piece is small: a dense matrix shows itself in a row.
  for (let row = 0, count = 1; row < rows; row += count, count = pieceRows) {
    count = Math.min(count, rows - row);
    const numbers = await matrix.numbers(row, count, signal);
    let ofRow = 0;
    for (let at = 0; at < numbers.length; at += group) {
      if (at % cols === 0) ofRow = 0;
      let top = 0;
      for (let i = at; i < at + group; i++) top = Math.max(top, Math.abs(numbers[i]!));
      if (!Number.isFinite(top)) return undefined;
      for (let i = at; i < at + group; i++) {
        const size = Math.abs(numbers[i]!);
        if (size !== top && size !== 0) return undefined;
      }
      if (top === 0) continue;
      if (ofRow !== 0 && ofRow !== top) wholeRows = false;
      ofRow = top;
    }
  }
  return wholeRows ? cols : group;
}
