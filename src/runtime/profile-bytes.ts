// What a stage must read at least: weights with their scales, cached keys and values, states. Not activations, which stay
// in the cache of the processor, and nothing that is written. docs/PROFILE.md has the rules.
import { BLOCK_ROWS } from '../../assembly/layout.ts';
import type { ModelConfig } from '../arch/architecture.ts';
import { TernlightError } from '../errors.ts';
import type { Stage, Step } from '../plan/plan.ts';
import { cacheBytesPerPosition, type KvType } from '../plan/types.ts';
import { roundUp, type Weight } from '../plan/weights.ts';

/** Bytes of a stage = fixed + perToken * tokens + perPosition * (position of the first token + tokens). */
export interface StageBytes {
  readonly fixed: number;
  readonly perToken: number;
  readonly perPosition: number;
}

/** Which arguments of a kernel are addresses of weights; [0] of embeddings, of which rows are looked up. */
const WEIGHT_ARGUMENTS: readonly [kernels: RegExp, arguments_: readonly number[]][] = [
  [/^matmul/, [0]],
  [/^rmsNorm/, [1]],
  [/^mamba/, [2, 3, 4, 5, 6]],
];

export function weightsByAddress(weights: ReadonlyMap<string, Weight>): Map<number, Weight> {
  return new Map([...weights.values()].map((weight) => [weight.address, weight]));
}

/** Once per stage what several of its steps read: tiles and single tokens share the weights. */
export function stageBytes({ steps }: Stage, config: ModelConfig, weights: ReadonlyMap<number, Weight>): StageBytes {
  const read = new Set<Weight>();
  let [fixed, perToken, perPosition] = [0, 0, 0];
  for (const step of steps) {
    for (const argument of WEIGHT_ARGUMENTS.find(([kernels]) => kernels.test(step.kernel))?.[1] ?? [])
      read.add(weightAt(step, argument, weights));
    // Estimates read the high nibbles; which rows of the low ones are read depends on the token.
    if (step.kernel.startsWith('matmulHead4')) fixed -= lowPlaneBytes(weightAt(step, 0, weights));
    if (step.kernel.startsWith('embed')) {
      const table = weightAt(step, 0, weights);
      perToken += weightBytes(table) / paddedRows(table);
    }
    if (step.kernel.startsWith('attention')) perPosition += 2 * cacheBytesPerPosition(config, kvOf(step.kernel));
    // Three older inputs of the convolution and a number of state, for each channel.
    if (step.kernel.startsWith('mamba')) fixed += 4 * (3 + 1) * config.hiddenDim;
  }
  for (const weight of read) fixed += weightBytes(weight);
  return { fixed, perToken, perPosition };
}

function kvOf(kernel: string): KvType {
  return /^attention(F32|F16|I8|I4)/.exec(kernel)![1]!.toLowerCase() as KvType;
}

/** Packed numbers and scales, padding included, as they are and not as they were promised: scales may be fewer. */
export function weightBytes(w: Weight): number {
  switch (w.kind) {
    case 'vector':
      return 4 * w.length;
    case 'ternary':
      return paddedRows(w) * w.paddedCols * (1 / 4 + 4 / w.blockCols);
    case 'binary':
      return paddedRows(w) * w.paddedCols * (1 / 8 + 2 / w.blockCols);
    case 'i8row':
    case 'i8planes':
      return paddedRows(w) * (w.paddedCols + 4);
    case 'i8block':
      return w.rows * w.cols * (1 + 4 / w.blockCols);
    case 'f16':
      return 2 * w.rows * w.cols;
    case 'f32':
      return 4 * w.rows * w.cols;
  }
}

function lowPlaneBytes(w: Weight): number {
  return w.kind === 'i8planes' ? (paddedRows(w) * w.paddedCols) / 2 : 0;
}

function paddedRows(w: Weight): number {
  if (w.kind === 'vector') return 1;
  return 'paddedCols' in w ? roundUp(w.rows, BLOCK_ROWS) : w.rows;
}

function weightAt({ kernel, args }: Step, argument: number, weights: ReadonlyMap<number, Weight>): Weight {
  const weight = weights.get(args[argument]!);
  if (!weight)
    throw new TernlightError('internal', `profile: argument ${argument} of ${kernel} is ${args[argument]}, no weight`);
  return weight;
}
