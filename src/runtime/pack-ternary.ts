// Ternary tensors into packing V32 (docs/PACKING.md), their scales per row or per block as they turn out.
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { TensorInfo, TernaryEncoding, TernaryPlanes } from '../formats/types.ts';
import { roundUp, type TernaryMatrix } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';
import { bytesOf } from './pieces.ts';
import { checkScale, named, type StagedPiece } from './tensor-reader.ts';

export async function packTernary(
  target: PackTarget,
  info: TensorInfo,
  encoding: TernaryEncoding,
  rows: number,
  cols: number,
  address: number,
): Promise<Pick<TernaryMatrix, 'scales' | 'paddedCols' | 'blockCols'>> {
  const { reader } = target;
  const paddedCols = roundUp(cols, COLS_ALIGN);
  const perTensor = encoding.scaleElems === 'tensor';
  const blockCols = encoding.scaleElems === 'tensor' ? cols : encoding.scaleElems;
  const perRow = blockCols === cols;
  if (cols % blockCols !== 0 || (!perRow && (blockCols % COLS_ALIGN !== 0 || 256 % blockCols !== 0)))
    throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
  const scales = new Float32Array((rows * cols) / blockCols);
  const { planes } = encoding;
  await reader.rows(info, (piece) => {
    const some = scales.subarray((piece.row * cols) / blockCols);
    return planes && cols % encoding.blockElems === 0
      ? packPlanes(target, encoding, planes, piece, cols, address, some)
      : packDecoded(target, encoding, piece, cols, address, some, blockCols);
  });
  if (perTensor) scales.fill(info.scale ?? (await reader.tensorScale(info, encoding)));
  return { paddedCols, ...writeScales(target, info, scales, rows, cols, paddedCols, blockCols) };
}

/** Codes that the kernel reads as they are in the file. */
async function packPlanes(
  { packers }: PackTarget,
  encoding: TernaryEncoding,
  { quarterBytes, firstIn, scales: readScales }: TernaryPlanes,
  { info, address, bytes, row, rows, lengthBytes }: StagedPiece,
  cols: number,
  to: number,
  scales: Float32Array,
): Promise<void> {
  named(info, () => readScales?.(bytes, rows * cols, scales));
  // Four times code 1, the weight 0: rows that are not there.
  bytes.fill(0x55, lengthBytes);
  const { blockElems, blockBytes } = encoding;
  const spans = blockElems / (4 * quarterBytes);
  const shape = [cols, quarterBytes, spans, blockBytes - spans * quarterBytes, firstIn === 'high' ? 1 : 0];
  const good = await packers.run({
    kind: 'calls',
    kernel: 'packV32Planes',
    args: [address, to + (row * cols) / 4, ...shape],
    steps: [bytesOf(info, BLOCK_ROWS * cols), (BLOCK_ROWS * cols) / 4, ...shape.map(() => 0)],
    times: Math.ceil(rows / BLOCK_ROWS),
  });
  // The decoder knows what to say of a bad code.
  if (!good) named(info, () => encoding.decode(bytes, rows * cols, new Uint8Array(rows * cols), scales));
}

/** Codes that JavaScript decodes, a block of rows at a time. */
function packDecoded(
  { staging, kernels, memory }: PackTarget,
  encoding: TernaryEncoding,
  { info, bytes, row, rows }: StagedPiece,
  cols: number,
  to: number,
  scales: Float32Array,
  blockCols: number,
): void {
  const paddedCols = roundUp(cols, COLS_ALIGN);
  const block = new Uint8Array(memory.buffer, staging.block, BLOCK_ROWS * paddedCols);
  const codes = paddedCols === cols ? block : new Uint8Array(BLOCK_ROWS * cols);
  for (let r = 0; r < rows; r += BLOCK_ROWS) {
    const there = Math.min(BLOCK_ROWS, rows - r);
    // Code 1 is the weight 0: rows and columns that are not there.
    if (there < BLOCK_ROWS || paddedCols > cols) block.fill(1);
    const own = scales.subarray((r * cols) / blockCols);
    named(info, () => encoding.decode(bytes.subarray(bytesOf(info, r * cols)), there * cols, codes, own));
    if (paddedCols > cols)
      for (let i = 0; i < there; i++) block.set(codes.subarray(i * cols, (i + 1) * cols), i * paddedCols);
    kernels.packV32(staging.block, to + ((row + r) * paddedCols) / 4, paddedCols);
  }
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
