// Dense tensors into the packings H16, i8block, f16 and f32 (docs/PACKING.md).
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { DenseEncoding, TensorInfo } from '../formats/types.ts';
import { roundUp } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';
import { checkFinite } from './tensor-reader.ts';

/** int8 with a scale per row, requantised from what the file has. */
export async function packI8Rows(
  { reader, kernels, memory, staging }: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  rows: number,
  cols: number,
  address: number,
  scales: number,
): Promise<void> {
  const paddedCols = roundUp(cols, COLS_ALIGN);
  const some = reader.rowsPerRead(info, cols, BLOCK_ROWS);
  const numbers = new Float32Array(Math.min(some, roundUp(rows, BLOCK_ROWS)) * cols);
  await reader.rows(info, rows, cols, some, (bytes, row, count) => {
    encoding.decode(bytes, count * cols, numbers);
    checkFinite(info, numbers, count * cols);
    const block = new Float32Array(memory.buffer, staging, 16 * paddedCols);
    // Whole blocks of 32 rows, so that the rows of the padding get the weight 0 and the scale 0.
    for (let r = 0; r < roundUp(count, BLOCK_ROWS); r += 16) {
      block.fill(0);
      for (let i = r; i < Math.min(r + 16, count); i++)
        block.set(numbers.subarray(i * cols, (i + 1) * cols), (i - r) * paddedCols);
      kernels.packH16(staging, address + (row + r) * paddedCols, scales + 4 * (row + r), paddedCols);
    }
  });
}

/** Row-major i8 with scales per block: what Q8_0, Q6_K and the like are exactly. */
export async function packI8Blocks(
  { reader, memory }: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  rows: number,
  cols: number,
  address: number,
  scales: number,
): Promise<void> {
  const blockCols = encoding.i8ScaleElems!;
  if (cols % blockCols !== 0 || blockCols % 16 !== 0)
    throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
  await reader.rows(info, rows, cols, reader.rowsPerRead(info, cols, 8), (bytes, row, count) => {
    const q = new Int8Array(memory.buffer, address + row * cols, count * cols);
    const s = new Float32Array(memory.buffer, scales + (4 * row * cols) / blockCols, (count * cols) / blockCols);
    encoding.decodeI8!(bytes, count * cols, q, s);
    checkFinite(info, s, s.length);
  });
}

/** Row-major numbers: f16 as they are, everything else widened to f32. */
export async function packFloats(
  { reader, memory }: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  rows: number,
  cols: number,
  kind: 'f16' | 'f32',
  address: number,
): Promise<void> {
  await reader.rows(info, rows, cols, reader.rowsPerRead(info, cols), (bytes, row, count) => {
    if (kind === 'f16') new Uint8Array(memory.buffer, address + 2 * row * cols, 2 * count * cols).set(bytes);
    else encoding.decode(bytes, count * cols, new Float32Array(memory.buffer, address + 4 * row * cols, count * cols));
  });
}
