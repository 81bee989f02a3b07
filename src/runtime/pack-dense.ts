// Dense tensors into the packings H16, i8block, f16 and f32 (docs/PACKING.md).
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { DenseEncoding, TensorInfo } from '../formats/types.ts';
import { roundUp } from '../plan/weights.ts';
import type { PackTarget } from './pack.ts';
import { bytesOf } from './pieces.ts';
import { checkFinite, named, notFinite, type StagedPiece } from './tensor-reader.ts';

/** Where int8 rows go: into one packing (H16), or with `low` into two planes (H4). */
interface I8RowsTarget {
  readonly address: number;
  readonly low?: number;
  readonly scales: number;
}

/** int8 with a scale per row, requantised from what the file has. */
export function packI8Rows(
  target: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  cols: number,
  to: I8RowsTarget,
): Promise<void> {
  const packed = { ...to, cols, paddedCols: roundUp(cols, COLS_ALIGN) };
  return target.reader.rows(info, (piece) =>
    encoding.name === 'F16' && packed.paddedCols === cols
      ? packHalves(target, piece, packed)
      : packDecoded(target, encoding, piece, packed),
  );
}

interface PackedRows extends I8RowsTarget {
  readonly cols: number;
  readonly paddedCols: number;
}

/** Where 16 rows from `row` on go, as the kernels' arguments, and how far it is to the next 16. */
function placed({ address, low, scales, paddedCols }: PackedRows, row: number) {
  if (low === undefined) return { args: [address + row * paddedCols, scales + 4 * row], steps: [16 * paddedCols, 64] };
  const at = (row * paddedCols) / 2;
  return { args: [address + at, low + at, scales + 4 * row], steps: [8 * paddedCols, 8 * paddedCols, 64] };
}

/** F16 goes to the kernel as it is. */
async function packHalves(
  { packers }: PackTarget,
  { info, address, bytes, row, rows, lengthBytes }: StagedPiece,
  packed: PackedRows,
): Promise<void> {
  const { cols, low } = packed;
  const to = placed(packed, row);
  // Whole blocks of 32 rows, so that the rows of the padding get the weight 0 and the scale 0.
  bytes.fill(0, lengthBytes);
  const finite = await packers.run({
    kind: 'calls',
    kernel: low === undefined ? 'packH16F16' : 'packH4F16',
    args: [address, ...to.args, cols],
    steps: [16 * 2 * cols, ...to.steps, 0],
    times: roundUp(rows, BLOCK_ROWS) / 16,
  });
  if (!finite) throw notFinite(info);
}

/** Everything else is decoded to f32 first, a block of 16 rows at a time. */
function packDecoded(
  { staging, kernels, memory }: PackTarget,
  encoding: DenseEncoding,
  { info, bytes, row, rows }: StagedPiece,
  packed: PackedRows,
): void {
  const { low, cols, paddedCols } = packed;
  const block = new Float32Array(memory.buffer, staging.block, 16 * paddedCols);
  const numbers = paddedCols === cols ? block : new Float32Array(16 * cols);
  for (let r = 0; r < roundUp(rows, BLOCK_ROWS); r += 16) {
    const there = Math.max(0, Math.min(16, rows - r));
    if (there < 16 || paddedCols > cols) block.fill(0);
    if (there > 0) named(info, () => encoding.decode(bytes.subarray(bytesOf(info, r * cols)), there * cols, numbers));
    if (paddedCols > cols)
      for (let i = 0; i < there; i++) block.set(numbers.subarray(i * cols, (i + 1) * cols), i * paddedCols);
    const [first, second, third] = placed(packed, row + r).args;
    const finite =
      low === undefined
        ? kernels.packH16(staging.block, first!, second!, paddedCols)
        : kernels.packH4(staging.block, first!, second!, third!, paddedCols);
    if (!finite) throw notFinite(info);
  }
}

/** Row-major i8 with scales per block: what Q8_0, Q6_K and the like are exactly. */
export async function packI8Blocks(
  { reader, memory }: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  cols: number,
  address: number,
  scales: number,
): Promise<void> {
  const blockCols = encoding.i8ScaleElems!;
  if (cols % blockCols !== 0 || blockCols % 16 !== 0)
    throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
  await reader.rows(info, ({ bytes, row, rows }) => {
    const q = new Int8Array(memory.buffer, address + row * cols, rows * cols);
    const s = new Float32Array(memory.buffer, scales + (4 * row * cols) / blockCols, (rows * cols) / blockCols);
    named(info, () => encoding.decodeI8!(bytes, rows * cols, q, s));
    checkFinite(info, s, s.length);
  });
}

/** Row-major numbers: f16 as they are, everything else widened to f32. */
export async function packFloats(
  { reader, memory }: PackTarget,
  info: TensorInfo,
  encoding: DenseEncoding,
  cols: number,
  kind: 'f16' | 'f32',
  address: number,
): Promise<void> {
  await reader.rows(info, ({ bytes, row, rows, lengthBytes }) => {
    if (kind === 'f16')
      new Uint8Array(memory.buffer, address + 2 * row * cols, lengthBytes).set(bytes.subarray(0, lengthBytes));
    else {
      const numbers = new Float32Array(memory.buffer, address + 4 * row * cols, rows * cols);
      named(info, () => encoding.decode(bytes, rows * cols, numbers));
    }
  });
}
