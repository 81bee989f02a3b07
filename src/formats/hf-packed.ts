// Packed ternary weights of a checkpoint: a byte holds the codes of four rows a quarter of the matrix apart, so a row
// can not be had without the others. The tensor that was read last stays, repacked row by row.

import { TernlightError } from '../errors.ts';
import { rowsEncoding } from './encodings/rows.ts';
import { pieceBytes, storedRow } from './hf-floats.ts';
import type { Rows } from './hf-rows.ts';
import type { SafeTensor } from './safetensors.ts';
import { quote } from './safetensors-text.ts';

/** Room for one repacked tensor (a quarter of its weights in bytes), shared by all tensors of a file. */
export class Repacked {
  private owner: unknown;
  private bytes: Uint8Array | undefined;

  async of(owner: unknown, make: () => Promise<Uint8Array>): Promise<Uint8Array> {
    if (this.owner !== owner || !this.bytes) {
      this.clear(); // before the next one needs as much
      const bytes = await make();
      this.owner = owner;
      this.bytes = bytes;
    }
    return this.bytes!;
  }

  clear(): void {
    this.owner = undefined;
    this.bytes = undefined;
  }
}

/**
 * @param tensor U8 [ceil(rows / 4), cols]
 * @param scale of every weight, to multiply
 * @param headRows as in FloatMatrix
 */
export function packedRows(
  tensor: SafeTensor,
  rows: number,
  scale: number,
  repacked: Repacked,
  headRows?: number,
): Rows {
  const cols = tensor.shape[1]!;
  const encoding = rowsEncoding(cols);
  const rowBytes = encoding.blockBytes;
  const self: Rows = {
    encoding,
    count: rows,
    rowBytes,
    pieceRows: rows,
    async make(row, count, signal) {
      const all = await repacked.of(self, () => repack(tensor, rows, rowBytes, scale, headRows, signal));
      return all.subarray(row * rowBytes, (row + count) * rowBytes);
    },
  };
  return self;
}

async function repack(
  tensor: SafeTensor,
  rows: number,
  rowBytes: number,
  scale: number,
  headRows: number | undefined,
  signal: AbortSignal | undefined,
): Promise<Uint8Array> {
  const [quarter, cols] = tensor.shape as [number, number];
  const out = new Uint8Array(rows * rowBytes);
  const view = new DataView(out.buffer);
  // Where in the file a row of the checkpoint goes.
  const target = new Int32Array(quarter * 4).fill(-1);
  for (let row = 0; row < rows; row++) target[headRows ? storedRow(row, headRows) : row] = row * rowBytes;
  const some = Math.max(1, Math.floor(pieceBytes / cols));
  let threes = 0;
  for (let first = 0; first < quarter; first += some) {
    const count = Math.min(some, quarter - first);
    const bytes = await tensor.source.read(tensor.offsetBytes + first * cols, count * cols, signal);
    for (let r = 0; r < count; r++) {
      for (let part = 0; part < 4; part++) {
        const to = target[part * quarter + first + r]!;
        if (to < 0) continue; // padding, where rows are no multiple of four
        threes |= gather(bytes, r * cols, cols, part * 2, out, to);
        view.setFloat32(to + rowBytes - 4, scale, true);
      }
    }
  }
  if (threes === 0) return out;
  throw new TernlightError(
    'invalid-file',
    `repository: tensor ${quote(tensor.name)} holds a code 3, expected 0, 1 or 2; the file is damaged or is not packed ternary`,
  );
}

/** Takes two bits of each byte and writes four to a byte. Returns not 0 if one was a 3. */
function gather(bytes: Uint8Array, from: number, cols: number, shift: number, out: Uint8Array, to: number): number {
  let threes = 0;
  const whole = cols - (cols % 4);
  for (let col = 0; col < whole; col += 4) {
    const at = from + col;
    const four =
      ((bytes[at]! >> shift) & 3) |
      (((bytes[at + 1]! >> shift) & 3) << 2) |
      (((bytes[at + 2]! >> shift) & 3) << 4) |
      (((bytes[at + 3]! >> shift) & 3) << 6);
    threes |= four & (four >> 1);
    out[to++] = four;
  }
  let rest = 0;
  for (let col = whole; col < cols; col++) rest |= ((bytes[from + col]! >> shift) & 3) << ((col % 4) * 2);
  if (whole < cols) out[to] = rest;
  return (threes | (rest & (rest >> 1))) & 0x55;
}
