// Whether a matrix of floats is scaled ternary weights that somebody has multiplied out (TriLM, Bonsai, Falcon-E).

import type { FloatMatrix } from './hf-floats.ts';

/** Bonsai's. */
const groupCols = 128;

/**
 * How many neighbouring weights share a scale: `cols` if every row is made of -m, 0 and m with an m of its own, 128 if
 * each 128 weights are. Undefined if one row is neither. Reads on until that is certain: a ternary matrix as a whole.
 */
export async function ternaryGroup(matrix: FloatMatrix, signal?: AbortSignal): Promise<number | undefined> {
  const { rows, cols, pieceRows } = matrix;
  const group = cols % groupCols === 0 ? groupCols : cols;
  let ternary = true;
  let wholeRows = true;
  // The first piece is small: a dense matrix shows itself in a row.
  for (let row = 0, count = 1; row < rows && ternary; row += count, count = pieceRows) {
    count = Math.min(count, rows - row);
    await matrix.each(row, count, signal, (numbers) => {
      const size = ternary ? sizeOf(numbers, group) : 0;
      if (Number.isNaN(size)) wholeRows = false;
      ternary &&= size !== undefined;
    });
  }
  if (!ternary) return undefined;
  return wholeRows ? cols : group;
}

/** A row's m, NaN if its groups have several; undefined if it is not ternary. */
function sizeOf(numbers: Float32Array, group: number): number | undefined {
  let size = 0;
  for (let at = 0; at < numbers.length; at += group) {
    let top = 0;
    for (let i = at; i < at + group; i++) top = Math.max(top, Math.abs(numbers[i]!));
    if (!Number.isFinite(top)) return undefined;
    for (let i = at; i < at + group; i++) {
      const each = Math.abs(numbers[i]!);
      if (each !== top && each !== 0) return undefined;
    }
    if (top === 0 || top === size) continue;
    size = size === 0 ? top : Number.NaN;
  }
  return size;
}
