// One ternary product as data: seeded matrix, activations and the reference's result, and the call of any kernel on it.
import { ROW_SUMS_BYTES, ROW_TOKENS, TILE_INDEX_BYTES, TILE_ROWS, TILE_TABLES_BYTES } from '../../assembly/layout.ts';
import { addTo, matmulTernary, type TernaryMatrix } from '../ref/matmul.ts';
import { packScales, packV32 } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';
import type { Arena } from './arena.ts';
import { once } from './compare.ts';
import type { Variant } from './variants.ts';

export const ROW_KERNELS = [
  'matmulTernaryDot',
  'matmulTernaryPaired',
  'matmulTernaryI16',
  'matmulTernaryWide',
] as const;
export type RowKernel = (typeof ROW_KERNELS)[number];

export interface Shape {
  rows: number;
  cols: number;
  blockCols: number;
  tokens: number;
  /** Values instead of random ones: all weights, all activations, all scales. */
  weight?: number;
  activation?: number;
  scale?: number;
}

export interface TernaryCase extends Shape {
  matrix: TernaryMatrix;
  q: Int8Array<ArrayBuffer>;
  qScale: Float32Array<ArrayBuffer>;
  /** What y holds before the call, [tokens, rows]. */
  before: Float32Array<ArrayBuffer>;
  /** The result with add 0 and with add 1. */
  y: readonly [Float32Array<ArrayBuffer>, Float32Array<ArrayBuffer>];
}

export function describeShape(s: Shape): string {
  const fixed = s.weight === undefined ? '' : `, weights ${s.weight}, activations ${s.activation}`;
  const scale = s.scale === undefined ? '' : `, scales ${Object.is(s.scale, -0) ? '-0' : s.scale}`;
  return `${s.rows} x ${s.cols}, blocks of ${s.blockCols}, ${s.tokens} tokens${fixed}${scale}`;
}

export function ternaryCase(shape: Shape): TernaryCase {
  return once(`ternary ${describeShape(shape)}`, () => {
    const { rows, cols, blockCols, tokens } = shape;
    const random = new Random(rows * 31 + cols * 7 + blockCols + tokens);
    const matrix: TernaryMatrix = {
      rows,
      cols,
      blockCols,
      weights: random.weights(rows * cols),
      scales: random.scales((rows * cols) / blockCols, 0.02),
    };
    const q = random.int8(tokens * cols);
    if (shape.weight !== undefined) matrix.weights.fill(shape.weight);
    if (shape.activation !== undefined) q.fill(shape.activation);
    if (shape.scale !== undefined) matrix.scales.fill(shape.scale);
    const qScale = random.scales(tokens, 30);
    const before = random.f32(tokens * rows);
    const y = matmulTernary(matrix, q, qScale);
    return { ...shape, matrix, q, qScale, before, y: [y, addTo(before, y)] };
  });
}

/** Bytes of scratch that the docstrings promise. */
export function rowScratchBytes(kernel: string, cols: number, blocks: number): number {
  const wide = kernel.endsWith('Wide') ? 2 * ROW_TOKENS * cols : 0;
  return ROW_SUMS_BYTES + 4 * ROW_TOKENS * blocks + wide;
}

export function tiledScratchBytes(tiles: number): number {
  return TILE_TABLES_BYTES + TILE_INDEX_BYTES + (32 + 64 * tiles) * TILE_ROWS;
}

export interface Part {
  /** Tokens, or tiles for the tiled kernel. */
  range?: readonly [number, number];
  /** Calls over these row bounds instead of one over all rows. */
  bounds?: readonly number[];
  add?: 0 | 1;
}

/** Runs a kernel over the case and returns y [tokens, rows]: what it did not write is what was there before. */
export function runTernary(
  v: Variant,
  arena: Arena,
  kernel: RowKernel | 'matmulTernaryTiled',
  c: TernaryCase,
  part: Part = {},
): Float32Array<ArrayBuffer> {
  const { rows, cols, blockCols, tokens, matrix } = c;
  const tiled = kernel === 'matmulTernaryTiled';
  const tiles = Math.ceil(tokens / 16);
  const { range = [0, tiled ? tiles : tokens], bounds = [0, rows], add = 0 } = part;
  const padded = tiled ? tiles * 16 : tokens;
  const w = arena.input('w', packV32(matrix.weights, rows, cols));
  const scales = arena.input('scales', packScales(matrix.scales, rows, cols / blockCols));
  // Tokens that only fill up the last tile: any activations, any scale.
  const q = new Int8Array(padded * cols).fill(55);
  q.set(c.q);
  let x = arena.input('q', q);
  const qScale = new Float32Array(padded).fill(1);
  qScale.set(c.qScale);
  const s = arena.input('qScale', qScale);
  const before = new Float32Array(padded * rows);
  before.set(c.before);
  const y = arena.inout('y', before);
  const r = arena.range(...range);
  if (tiled) {
    const at = arena.region('at', padded * cols * 2);
    v.kernels.tileI16(x, at, cols, range[0], range[1]);
    x = at;
  }
  const scratchBytes = tiled ? tiledScratchBytes(range[1] - range[0]) : rowScratchBytes(kernel, cols, cols / blockCols);
  const scratch = arena.region('scratch', scratchBytes);
  for (let i = 1; i < bounds.length; i++)
    v.kernels[kernel](w, scales, x, s, y, cols, blockCols, rows, add, r, bounds[i - 1]!, bounds[i]!, scratch);
  arena.check();
  return arena.f32(y, tokens * rows);
}

/** The reference's result in tokens [first, end), what was there before elsewhere. */
export function expected(c: TernaryCase, add: 0 | 1, first = 0, end = c.tokens): Float32Array<ArrayBuffer> {
  const out = c.before.slice();
  out.set(c.y[add].subarray(first * c.rows, end * c.rows), first * c.rows);
  return out;
}
