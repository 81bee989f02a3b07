// Steps that multiply a matrix by activations: which kernel, with which arguments and how much scratch per thread.
// The arguments are those of the kernels' docstrings.
import {
  BLOCK_ROWS,
  RANGE_TILES,
  ROW_SUMS_BYTES,
  ROW_TOKENS,
  TILE_INDEX_BYTES,
  TILE_ROWS,
  TILE_TABLES_BYTES,
  TILE_TOKENS,
} from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { Step } from './plan.ts';
import type { BuilderOptions, Quantized, Value } from './types.ts';
import { type Matrix, roundUp, type TernaryMatrix } from './weights.ts';

const TERNARY_ROWS = { dot: 'matmulTernaryDot', i16: 'matmulTernaryI16', wide: 'matmulTernaryWide' } as const;
// Two i32 relaxed dots a vector: where they are emulated, widening is faster (docs/LOG.md).
const I8_ROWS = { dot: 'matmulI8RowDot', i16: 'matmulI8RowWide', wide: 'matmulI8RowWide' } as const;

export interface NeedyStep {
  readonly step: Step;
  readonly scratchBytes: number;
}

type MatmulOptions = Pick<BuilderOptions, 'control' | 'chunkTokens' | 'rowKernel'>;

/** A ternary matrix times the chunk's whole tiles; `at` holds the activations tile by tile. */
export function tiledStep(
  w: TernaryMatrix,
  q: Quantized,
  at: number,
  y: Value,
  add: 0 | 1,
  { control, chunkTokens }: MatmulOptions,
): NeedyStep {
  if (w.blockCols !== w.paddedCols && 256 % w.blockCols !== 0)
    throw new TernlightError(
      'internal',
      `plan: ${w.name} has a scale per ${w.blockCols} columns, expected a divisor of 256`,
    );
  const args = [w.address, w.scales, at, q.scale, y.address, w.paddedCols, w.blockCols, y.stride, add];
  return {
    step: {
      kernel: 'matmulTernaryTiled',
      args: [...args, control + RANGE_TILES],
      rows: roundUp(w.rows, BLOCK_ROWS),
      align: BLOCK_ROWS,
    },
    scratchBytes: TILE_TABLES_BYTES + TILE_INDEX_BYTES + (32 + (64 * chunkTokens) / TILE_TOKENS) * TILE_ROWS,
  };
}

/** One matrix times the single tokens of a range. */
export function rowStep(
  w: Matrix,
  q: Quantized | undefined,
  x: Value | undefined,
  y: Value,
  add: 0 | 1,
  range: number,
  { control, rowKernel }: MatmulOptions,
): NeedyStep {
  const tokens = control + range;
  if (w.kind === 'ternary' || w.kind === 'i8row') {
    if (!q || q.cols !== w.paddedCols) throw new TernlightError('internal', `plan: ${w.name} has no quantised input`);
    const rows = roundUp(w.rows, BLOCK_ROWS);
    const inputs = [w.address, w.scales, q.q, q.scale, y.address, w.paddedCols];
    const scratchBytes = rowScratchBytes(w.paddedCols, w.kind === 'ternary' ? w.blockCols : w.paddedCols);
    if (w.kind === 'i8row') {
      if (add) throw new TernlightError('internal', `plan: ${w.name} is an int8 matrix, which only heads are`);
      const args = [...inputs, y.stride, tokens];
      return { step: { kernel: I8_ROWS[rowKernel], args, rows, align: BLOCK_ROWS }, scratchBytes };
    }
    const args = [...inputs, w.blockCols, y.stride, add, tokens];
    return { step: { kernel: TERNARY_ROWS[rowKernel], args, rows, align: BLOCK_ROWS }, scratchBytes };
  }
  if (!x || x.cols !== w.cols) throw new TernlightError('internal', `plan: ${w.name} has no f32 input`);
  const shape = { rows: w.rows, align: 4 };
  if (w.kind === 'i8block') {
    const args = [w.address, w.scales, x.address, y.address, w.cols, w.blockCols, x.stride, y.stride, add, tokens];
    return { step: { kernel: 'matmulI8Block', args, ...shape }, scratchBytes: 0 };
  }
  const args = [w.address, x.address, y.address, w.cols, x.stride, y.stride, add, tokens];
  return { step: { kernel: w.kind === 'f16' ? 'matmulF16' : 'matmulF32', args, ...shape }, scratchBytes: 4 * w.cols };
}

/** Sums per block of ROW_TOKENS tokens, and their widened copies. */
function rowScratchBytes(cols: number, blockCols: number): number {
  return ROW_SUMS_BYTES + 4 * (ROW_TOKENS * (cols / blockCols) + 4) + 2 * ROW_TOKENS * cols;
}
