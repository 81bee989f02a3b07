// A file that is not there: tensors one after the other, each made from a checkpoint as it is read.

import type { VirtualTensor } from './hf-tensors.ts';
import { checkRange } from './range.ts';
import type { ByteSource, TensorInfo } from './types.ts';
import { queue } from './window.ts';

const alignment = 32;

/** The same bytes however they are read; whole rows in rising order cost least. @param close of what the rows come from */
export function virtualFile(
  name: string,
  tensors: readonly VirtualTensor[],
  close: () => Promise<void>,
): { source: ByteSource; tensors: TensorInfo[] } {
  let end = 0;
  const pieces = tensors.map(({ name, dims, rows }) => {
    const offsetBytes = Math.ceil(end / alignment) * alignment;
    const lengthBytes = rows.count * rows.rowBytes;
    end = offsetBytes + lengthBytes;
    return { rows, info: { name, dims, encoding: rows.encoding, offsetBytes, lengthBytes } };
  });
  const inTurn = queue();
  const byteLength = end;

  async function read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkRange(name, byteLength, offset, length);
    const out = new Uint8Array(length); // zeros between tensors
    for (const { rows, info } of pieces) {
      const from = Math.max(offset, info.offsetBytes);
      const to = Math.min(offset + length, info.offsetBytes + info.lengthBytes);
      if (from < to) await fill(rows, info.offsetBytes, from, to, out.subarray(from - offset, to - offset), signal);
    }
    return out;
  }

  const source: ByteSource = {
    name,
    byteLength,
    read: (offset, length, signal) => inTurn(() => read(offset, length, signal)),
    close,
  };
  return { source, tensors: pieces.map(({ info }) => info) };
}

/** Bytes [from, to) of the file, which are of the tensor that begins at `base`. */
async function fill(
  { rowBytes, pieceRows, make }: VirtualTensor['rows'],
  base: number,
  from: number,
  to: number,
  out: Uint8Array,
  signal: AbortSignal | undefined,
): Promise<void> {
  const end = Math.ceil((to - base) / rowBytes);
  for (let row = Math.floor((from - base) / rowBytes); row < end; ) {
    signal?.throwIfAborted();
    // Pieces begin at multiples of their size, so that heads stay whole.
    const count = Math.min(end, row - (row % pieceRows) + pieceRows) - row;
    const bytes = await make(row, count, signal);
    const at = base + row * rowBytes;
    const skip = Math.max(0, from - at);
    out.set(bytes.subarray(skip, Math.min(bytes.length, to - at)), at + skip - from);
    row += count;
  }
}
