// Binary tensors into packing B32 with f16 scales (docs/PACKING.md).
import { BLOCK_ROWS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import { toF16Bits } from '../formats/f16.ts';
import type { BinaryEncoding, TensorInfo } from '../formats/types.ts';
import type { BinaryMatrix } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';
import { bytesOf } from './pieces.ts';
import { named } from './tensor-reader.ts';

export async function packBinary(
  { reader, kernels, memory, layout, staging }: PackTarget,
  info: TensorInfo,
  encoding: BinaryEncoding,
  rows: number,
  cols: number,
  address: number,
): Promise<Pick<BinaryMatrix, 'scales' | 'paddedCols' | 'blockCols'>> {
  const blockCols = encoding.scaleElems;
  if (cols % blockCols !== 0 || blockCols % 32 !== 0 || 256 % blockCols !== 0)
    throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
  const blocks = cols / blockCols;
  const rowBytes = cols / 8;
  const paddedRows = Math.ceil(rows / BLOCK_ROWS) * BLOCK_ROWS;
  // Rows of the padding keep the scale 0: whatever their bits, they are zeros.
  const packedScales = layout.allocate(`${info.name} scales`, 2 * paddedRows * blocks);
  const halves = new Uint16Array(memory.buffer, packedScales, paddedRows * blocks);
  const block = new Uint8Array(memory.buffer, staging.block, BLOCK_ROWS * rowBytes);
  const scales = new Float32Array(BLOCK_ROWS * blocks);
  await reader.rows(info, ({ bytes, row, rows }) => {
    for (let r = 0; r < rows; r += BLOCK_ROWS) {
      const there = Math.min(BLOCK_ROWS, rows - r);
      if (there < BLOCK_ROWS) block.fill(0);
      named(info, () => encoding.decode(bytes.subarray(bytesOf(info, r * cols)), there * cols, block, scales));
      kernels.packB32(staging.block, address + (row + r) * rowBytes, cols);
      const group = (row + r) * blocks;
      for (let i = 0; i < there; i++)
        for (let b = 0; b < blocks; b++) halves[group + b * BLOCK_ROWS + i] = toF16Bits(scales[i * blocks + b]!);
    }
  });
  return { scales: packedScales, paddedCols: cols, blockCols };
}
