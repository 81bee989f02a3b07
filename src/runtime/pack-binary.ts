// Binary tensors into packing B32 with f16 scales (docs/PACKING.md).
import { BLOCK_ROWS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import { toF16Bits } from '../formats/f16.ts';
import type { BinaryEncoding, TensorInfo } from '../formats/types.ts';
import type { BinaryMatrix } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';

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
  const some = reader.rowsPerRead(info, cols, BLOCK_ROWS);
  const bits = new Uint8Array(Math.min(some, paddedRows) * rowBytes);
  const scales = new Float32Array((bits.length / rowBytes) * blocks);
  await reader.rows(info, rows, cols, some, (bytes, row, count) => {
    encoding.decode(bytes, count * cols, bits, scales);
    const block = new Uint8Array(memory.buffer, staging, BLOCK_ROWS * rowBytes);
    for (let r = 0; r < count; r += BLOCK_ROWS) {
      const there = Math.min(BLOCK_ROWS, count - r);
      if (there < BLOCK_ROWS) block.fill(0);
      block.set(bits.subarray(r * rowBytes, (r + there) * rowBytes));
      kernels.packB32(staging, address + (row + r) * rowBytes, cols);
      const group = (row + r) * blocks;
      for (let i = 0; i < there; i++)
        for (let b = 0; b < blocks; b++) halves[group + b * BLOCK_ROWS + i] = toF16Bits(scales[(r + i) * blocks + b]!);
    }
  });
  return { scales: packedScales, paddedCols: cols, blockCols };
}
