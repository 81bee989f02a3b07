// The head in two steps: estimates of all logits, then exact values of those that can be among the greatest. The
// arguments are those of the kernels' docstrings.
import { HEAD_SPAN, HEAD_TOP, RANGE_HEAD, ROW_SUMS_BYTES, ROW_TOKENS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import { type NeedyStep, wholeRows } from './matmul.ts';
import { type BuilderOptions, type Quantized, unpaired, type Value } from './types.ts';
import type { I8PlanesMatrix } from './weights.ts';

const ESTIMATES = {
  dot: 'matmulHead4Dot',
  i16: 'matmulHead4I16',
  wide: 'matmulHead4Wide',
} as const;
const REFINE = {
  dot: 'headRefineDot',
  i16: 'headRefineWide',
  wide: 'headRefineWide',
} as const;

export interface FastHead {
  /** The rows, and their logits. */
  readonly w: I8PlanesMatrix;
  readonly y: Value;
  readonly q: Quantized;
  /** Between the steps: [T, stride] i32, [T, stride / 32, 2] f32, [T] f32. */
  readonly sums: number;
  readonly peaks: number;
  readonly thresholds: number;
}

/** One stage each, in this order. */
export function fastHeadSteps(
  { w, y, q, sums, peaks, thresholds }: FastHead,
  { control, rowKernel }: Pick<BuilderOptions, 'control' | 'rowKernel'>,
): NeedyStep[] {
  if (q.cols !== w.paddedCols) throw new TernlightError('internal', `plan: ${w.name} has no quantised input`);
  const cols = w.paddedCols;
  const form = unpaired(rowKernel);
  const widened = 2 * ROW_TOKENS * cols;
  const between = [w.scales, q.q, q.scale, sums, y.address, peaks];
  const tokens = control + RANGE_HEAD;
  const top = control + HEAD_TOP;
  return [
    {
      step: wholeRows(ESTIMATES[form], [w.address, ...between, cols, y.stride, tokens], w),
      scratchBytes: ROW_SUMS_BYTES + widened,
    },
    {
      step: {
        kernel: 'headThreshold',
        args: [w.low, ...between, thresholds, top, w.rows, cols, y.stride],
        ...{ rows: 1, align: 1, range: RANGE_HEAD },
      },
      scratchBytes: ROW_SUMS_BYTES + 2 * cols + 12 * (Math.ceil(w.rows / 32) + 8),
    },
    {
      step: wholeRows(REFINE[form], [w.low, ...between, thresholds, cols, y.stride, tokens], w),
      scratchBytes: ROW_SUMS_BYTES + 4 * HEAD_SPAN + 16 + widened,
    },
  ];
}
