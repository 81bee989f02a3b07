// Ternary tensors into packing V32 (docs/PACKING.md), their scales per row or per block as they turn out.
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { TensorInfo, TernaryEncoding } from '../formats/types.ts';
import { roundUp, type TernaryMatrix } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';
import { checkScale } from './tensor-reader.ts';

export async function packTernary(
  target: PackTarget,
  info: TensorInfo,
  encoding: TernaryEncoding,
  rows: number,
  cols: number,
  address: number,
): Promise<Pick<TernaryMatrix, 'scales' | 'paddedCols' | 'blockCols'>> {
  const { reader, kernels, memory, staging } = target;
  const paddedCols = roundUp(cols, COLS_ALIGN);
  const perTensor = encoding.scaleElems === 'tensor';
  const blockCols = encoding.scaleElems === 'tensor' ? cols : encoding.scaleElems;
  const perRow = blockCols === cols;
  if (cols % blockCols !== 0 || (!perRow && (blockCols % COLS_ALIGN !== 0 || 256 % blockCols !== 0)))
    throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
  const scales = new Float32Array((rows * cols) / blockCols);
  const some = reader.rowsPerRead(info, cols, BLOCK_ROWS);
  const codes = new Uint8Array(Math.min(some, roundUp(rows, BLOCK_ROWS)) * cols);
  await reader.rows(info, rows, cols, some, (bytes, row, count) => {
    const first = perTensor ? 0 : (row * cols) / blockCols;
    encoding.decode(bytes, count * cols, codes, scales.subarray(first));
    const block = new Uint8Array(memory.buffer, staging, BLOCK_ROWS * paddedCols);
    for (let r = 0; r < count; r += BLOCK_ROWS) {
      const there = Math.min(BLOCK_ROWS, count - r);
      // Code 1 is the weight 0: rows and columns that are not there.
      if (there < BLOCK_ROWS || paddedCols > cols) block.fill(1);
      if (paddedCols === cols) block.set(codes.subarray(r * cols, (r + there) * cols));
      else
        for (let i = 0; i < there; i++) block.set(codes.subarray((r + i) * cols, (r + i + 1) * cols), i * paddedCols);
      kernels.packV32(staging, address + ((row + r) * paddedCols) / 4, paddedCols);
    }
  });
  if (perTensor) scales.fill(info.scale ?? (await reader.tensorScale(info, encoding)));
  return { paddedCols, ...writeScales(target, info, scales, rows, cols, paddedCols, blockCols) };
}

/** Scales [rows, cols / blockCols] -> [rows / 32, blocks, 32], with one block where every row has one value. */
function writeScales(
  { layout, memory }: PackTarget,
  info: TensorInfo,
  scales: Float32Array,
  rows: number,
  cols: number,
  paddedCols: number,
  blockCols: number,
): { scales: number; blockCols: number } {
  const stored = cols / blockCols;
  let uniform = true;
  for (let i = 0; i < scales.length; i++) {
    checkScale(info, scales[i]!);
    if (uniform && i % stored !== 0 && scales[i] !== scales[i - 1]) uniform = false;
  }
  const blocks = uniform ? 1 : stored;
  const count = roundUp(rows, BLOCK_ROWS) * blocks;
  const address = layout.allocate(`${info.name} scales`, 4 * count);
  const out = new Float32Array(memory.buffer, address, count);
  for (let r = 0; r < rows; r++) {
    const group = (r - (r % BLOCK_ROWS)) * blocks + (r % BLOCK_ROWS);
    for (let b = 0; b < blocks; b++) out[group + b * BLOCK_ROWS] = scales[r * stored + b]!;
  }
  return { scales: address, blockCols: uniform ? paddedCols : blockCols };
}

/** Multiplies the scales of a packed matrix: a separate `.scale` tensor. */
export function multiplyScales(memory: WebAssembly.Memory, weight: TernaryMatrix, factor: number): void {
  const count = (roundUp(weight.rows, BLOCK_ROWS) * weight.paddedCols) / weight.blockCols;
  const scales = new Float32Array(memory.buffer, weight.scales, count);
  for (let i = 0; i < count; i++) scales[i] = scales[i]! * factor;
}
