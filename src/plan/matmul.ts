// Steps that multiply a matrix by activations: which kernel, with which arguments and how much scratch per thread.
// The arguments are those of the kernels' docstrings.
import {
  BLOCK_ROWS,
  DIGIT_TABLES_BYTES,
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
import type { BuilderOptions, Digits, Quantized, Value } from './types.ts';
import {
  type BinaryMatrix,
  type FloatMatrix,
  type I8BlockMatrix,
  type I8RowMatrix,
  roundUp,
  type TernaryMatrix,
} from './weights.ts';

export const TERNARY_ROWS = {
  dot: 'matmulTernaryDot',
  paired: 'matmulTernaryPaired',
  i16: 'matmulTernaryI16',
  wide: 'matmulTernaryWide',
} as const;
// Two i32 relaxed dots a vector: where they are emulated, widening is faster (docs/LOG.md).
const I8_ROWS = {
  dot: 'matmulI8RowDot',
  paired: 'matmulI8RowDot',
  i16: 'matmulI8RowWide',
  wide: 'matmulI8RowWide',
} as const;
const DIGIT_ROWS = {
  ternary: {
    dot: 'matmulTernaryDigitsDot',
    paired: 'matmulTernaryDigitsDot',
    i16: 'matmulTernaryDigitsWide',
    wide: 'matmulTernaryDigitsWide',
  },
  binary: {
    dot: 'matmulBinaryDigitsDot',
    paired: 'matmulBinaryDigitsDot',
    i16: 'matmulBinaryDigitsWide',
    wide: 'matmulBinaryDigitsWide',
  },
} as const;
const DIGIT_TILES = { ternary: 'matmulTernaryDigitsTiled', binary: 'matmulBinaryDigitsTiled' } as const;

/** Columns that share a scale of activations held as digits. */
const DIGIT_BLOCK = 128;

export interface NeedyStep {
  readonly step: Step;
  readonly scratchBytes: number;
}

type MatmulOptions = Pick<BuilderOptions, 'control' | 'chunkTokens' | 'rowKernel'>;

/** The block of columns in which the activations of this matrix share a scale: the matrix's own are multiples of it. */
export function digitBlock(w: TernaryMatrix | BinaryMatrix): number {
  const most = w.blockCols === w.paddedCols ? DIGIT_BLOCK : Math.min(DIGIT_BLOCK, w.blockCols);
  return [128, 64, 32].find((n) => n <= most && w.paddedCols % n === 0)!;
}

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
    step: wholeRows('matmulTernaryTiled', [...args, control + RANGE_TILES], w),
    scratchBytes: TILE_TABLES_BYTES + TILE_INDEX_BYTES + (32 + (64 * chunkTokens) / TILE_TOKENS) * TILE_ROWS,
  };
}

/** A ternary or binary matrix times the chunk's whole tiles of digits. */
export function digitTiledStep(
  w: TernaryMatrix | BinaryMatrix,
  d: Digits,
  at: number,
  y: Value,
  add: 0 | 1,
  { control, chunkTokens }: MatmulOptions,
): NeedyStep {
  // A tiled plane is i16 where the plane is i8.
  const args = [w.address, w.scales, at, 2 * d.planeBytes, d.scales, y.address, ...digitShape(w, d), y.stride, add];
  return {
    step: wholeRows(DIGIT_TILES[w.kind], [...args, control + RANGE_TILES], w),
    scratchBytes:
      DIGIT_TABLES_BYTES + TILE_INDEX_BYTES + (4 + 32 * d.count + (64 * chunkTokens) / TILE_TOKENS) * TILE_ROWS,
  };
}

/** A ternary or int8 matrix times the single tokens of a range. */
export function rowStep(
  w: TernaryMatrix | I8RowMatrix,
  q: Quantized,
  y: Value,
  add: 0 | 1,
  range: number,
  { control, rowKernel }: MatmulOptions,
): NeedyStep {
  const tokens = control + range;
  if (q.cols !== w.paddedCols) throw new TernlightError('internal', `plan: ${w.name} has no quantised input`);
  const inputs = [w.address, w.scales, q.q, q.scale, y.address, w.paddedCols];
  const scratchBytes = rowScratchBytes(w.paddedCols, w.kind === 'ternary' ? w.blockCols : w.paddedCols);
  if (w.kind === 'ternary') {
    const args = [...inputs, w.blockCols, y.stride, add, tokens];
    return { step: wholeRows(TERNARY_ROWS[rowKernel], args, w), scratchBytes };
  }
  if (add) throw new TernlightError('internal', `plan: ${w.name} is an int8 matrix, which only heads are`);
  return { step: wholeRows(I8_ROWS[rowKernel], [...inputs, y.stride, tokens], w), scratchBytes };
}

/** A ternary or binary matrix times the single tokens of a range, as digits. */
export function digitRowStep(
  w: TernaryMatrix | BinaryMatrix,
  d: Digits,
  y: Value,
  add: 0 | 1,
  range: number,
  { control, rowKernel }: MatmulOptions,
): NeedyStep {
  const args = [w.address, w.scales, d.q, d.planeBytes, d.scales, y.address, ...digitShape(w, d), y.stride, add];
  return {
    step: wholeRows(DIGIT_ROWS[w.kind][rowKernel], [...args, control + range], w),
    scratchBytes: rowScratchBytes(w.paddedCols, d.blockCols, 2),
  };
}

function digitShape(w: TernaryMatrix | BinaryMatrix, d: Digits): number[] {
  if (d.cols !== w.paddedCols || w.blockCols % d.blockCols !== 0)
    throw new TernlightError('internal', `plan: ${w.name} has no input in digits`);
  return [w.paddedCols, d.blockCols, w.blockCols, d.count];
}

/** A matrix of numbers, or of int8 with scales per block, times the single tokens of a range, in f32. */
export function floatStep(
  w: FloatMatrix | I8BlockMatrix,
  x: Value,
  y: Value,
  add: 0 | 1,
  range: number,
  { control }: MatmulOptions,
): NeedyStep {
  const tokens = control + range;
  if (x.cols !== w.cols) throw new TernlightError('internal', `plan: ${w.name} has no f32 input`);
  const shape = { rows: w.rows, align: 4 };
  if (w.kind === 'i8block') {
    const args = [w.address, w.scales, x.address, y.address, w.cols, w.blockCols, x.stride, y.stride, add, tokens];
    return { step: { kernel: 'matmulI8Block', args, ...shape }, scratchBytes: 0 };
  }
  const args = [w.address, x.address, y.address, w.cols, x.stride, y.stride, add, tokens];
  return { step: { kernel: w.kind === 'f16' ? 'matmulF16' : 'matmulF32', args, ...shape }, scratchBytes: 4 * w.cols };
}

/** A step over groups of 32 rows, padding included. */
export function wholeRows(kernel: Step['kernel'], args: number[], w: { rows: number }): Step {
  return { kernel, args, rows: roundUp(w.rows, BLOCK_ROWS), align: BLOCK_ROWS };
}

/** Sums per block of ROW_TOKENS tokens, and their widened copies. */
function rowScratchBytes(cols: number, blockCols: number, copies = 1): number {
  return ROW_SUMS_BYTES + 4 * (ROW_TOKENS * (cols / blockCols) + 4) + 2 * copies * ROW_TOKENS * cols;
}
