// Dense tensors into the packings H16, i8block, f16 and f32 (docs/PACKING.md).
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { DenseEncoding, TensorInfo } from '../formats/types.ts';
import { roundUp } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';
import { checkFinite, notFinite } from './tensor-reader.ts';

/** Where int8 rows go: into one packing (H16), or with `low` into two planes (H4). */
interface I8RowsTarget {
  readonly address: number;
  readonly low?: number;
  readonly scales: number;
}

/** int8 with a scale per row, requantised from what the file has. */
export async function packI8Rows(
  { reader, kernels, memory, staging }: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  rows: number,
  cols: number,
  { address, low, scales }: I8RowsTarget,
): Promise<void> {
  const paddedCols = roundUp(cols, COLS_ALIGN);
  const some = reader.rowsPerRead(info, cols, BLOCK_ROWS);
  // F16 goes to the kernel as it is; everything else is decoded to f32 first.
  const halves = encoding.name === 'F16';
  const elemBytes = halves ? 2 : 4;
  const numbers = new Float32Array(halves ? 0 : Math.min(some, roundUp(rows, BLOCK_ROWS)) * cols);
  /** Packs 16 rows of the staging area from `row` on; 0 if a number is not finite. */
  const pack = (row: number): number => {
    const to = scales + 4 * row;
    if (low === undefined) {
      const kernel = halves ? kernels.packH16F16 : kernels.packH16;
      return kernel(staging, address + row * paddedCols, to, paddedCols);
    }
    const at = (row * paddedCols) / 2;
    return (halves ? kernels.packH4F16 : kernels.packH4)(staging, address + at, low + at, to, paddedCols);
  };
  await reader.rows(info, rows, cols, some, (bytes, row, count) => {
    if (!halves) encoding.decode(bytes, count * cols, numbers);
    const from = halves ? bytes : new Uint8Array(numbers.buffer);
    const block = new Uint8Array(memory.buffer, staging, 16 * elemBytes * paddedCols);
    // Whole blocks of 32 rows, so that the rows of the padding get the weight 0 and the scale 0.
    for (let r = 0; r < roundUp(count, BLOCK_ROWS); r += 16) {
      const there = Math.min(16, count - r);
      if (there < 16 || paddedCols > cols) block.fill(0);
      for (let i = 0; i < there; i += paddedCols === cols ? 16 : 1) {
        const part = paddedCols === cols ? there : 1;
        const at = (r + i) * cols * elemBytes;
        block.set(from.subarray(at, at + part * cols * elemBytes), i * paddedCols * elemBytes);
      }
      if (!pack(row + r)) throw notFinite(info);
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
