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
  return coded(matrix, group, async () => (numbers, codes, scales) => {
    for (let g = 0; g < scales.length; g++) {
      let top = 0;
      for (let i = g * group; i < (g + 1) * group; i++) {
        const weight = numbers[i]!;
        top = Math.max(top, Math.abs(weight));
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
  return coded(matrix, matrix.cols, async (signal) => {
    scale ??= await meanSize(matrix, signal);
    const used = scale;
    // In f32, as torch does it.
    const inverse = Math.fround(1 / used);
    return (numbers, codes, scales) => {
      for (let i = 0; i < numbers.length; i++) {
        const weight = Math.fround(numbers[i]! * inverse);
        codes[i] = weight > 0.5 ? 2 : weight < -0.5 ? 0 : 1; // 0.5 is halfway and goes to the even one, 0
      }
      scales[0] = used;
    };
  });
}

/** Of one row. */
type Coder = (numbers: Float32Array, codes: Uint8Array, scales: Float32Array) => void;

function coded(matrix: FloatMatrix, group: number, coder: (signal?: AbortSignal) => Promise<Coder>): Rows {
  const { cols } = matrix;
  const encoding = rowsEncoding(cols, group);
  const { blockBytes } = encoding;
  const codes = new Uint8Array(cols);
  const scales = new Float32Array(cols / group);
  return {
    encoding,
    count: matrix.rows,
    rowBytes: blockBytes,
    pieceRows: matrix.pieceRows,
    async make(row, count, signal) {
      const encode = await coder(signal);
      const bytes = new Uint8Array(count * blockBytes);
      await matrix.each(row, count, signal, (numbers, index) => {
        encode(numbers, codes, scales);
        encoding.encode!(codes, scales, cols, bytes.subarray(index * blockBytes, (index + 1) * blockBytes));
      });
      return bytes;
    },
  };
}

/** At least 1e-5, as in training, so that a matrix of zeros does not divide by zero. */
async function meanSize(matrix: FloatMatrix, signal?: AbortSignal): Promise<number> {
  const { rows, cols, pieceRows, name } = matrix;
  let sum = 0;
  for (let row = 0; row < rows; row += pieceRows) {
    await matrix.each(row, Math.min(pieceRows, rows - row), signal, (numbers) => {
      // Four sums: one alone waits for itself.
      let [a, b, c, d] = [0, 0, 0, 0];
      const whole = cols - (cols % 4);
      for (let i = 0; i < whole; i += 4) {
        a += Math.abs(numbers[i]!);
        b += Math.abs(numbers[i + 1]!);
        c += Math.abs(numbers[i + 2]!);
        d += Math.abs(numbers[i + 3]!);
      }
      for (let i = whole; i < cols; i++) a += Math.abs(numbers[i]!);
      sum += a + b + (c + d);
    });
  }
  if (Number.isFinite(sum)) return Math.fround(Math.max(sum / (rows * cols), 1e-5));
  throw new TernlightError(
    'invalid-file',
    `repository: tensor ${quote(name)} holds a weight that is infinite or not a number; the file is damaged`,
  );
}
