// What is read of a file at once: whole rows of a tensor, about a MiB, or all of a small one. Known from the header.
import { BLOCK_ROWS } from '../../assembly/layout.ts';
import type { TensorInfo } from '../formats/types.ts';
import { roundUp } from '../plan/weights.ts';
import type { PackingJob } from './packing.ts';

/** About as much as a core's second cache holds beside what becomes of it. */
const PIECE_BYTES = 2 ** 20;

export interface Piece {
  readonly info: TensorInfo;
  /** In the file. */
  readonly offset: number;
  readonly lengthBytes: number;
  /** With the rows up to the next whole block of them, for which packing makes room. */
  readonly paddedBytes: number;
  readonly row: number;
  /** Rows; 0 for what is not rows: a vector, a trailer. */
  readonly rows: number;
}

/** The pieces of a tensor in the order of the file, a trailer that is needed last. */
export function piecesOf({ info, spec }: PackingJob): Piece[] {
  const { encoding, offsetBytes, lengthBytes } = info;
  const [cols = 1, rows = 1] = spec.dims;
  const whole = (offset: number, bytes: number) => ({
    ...{ info, offset, lengthBytes: bytes, paddedBytes: bytes, row: 0, rows: 0 },
  });
  if (spec.dims.length < 2) return [whole(offsetBytes, lengthBytes)];
  const some = Math.max(1, Math.floor(PIECE_BYTES / bytesOf(info, BLOCK_ROWS * cols))) * BLOCK_ROWS;
  const pieces: Piece[] = [];
  for (let row = 0; row < rows; row += some) {
    const count = Math.min(some, rows - row);
    pieces.push({
      ...{ info, row, rows: count, offset: offsetBytes + bytesOf(info, row * cols) },
      lengthBytes: bytesOf(info, count * cols),
      paddedBytes: bytesOf(info, roundUp(count, BLOCK_ROWS) * cols),
    });
  }
  const { trailerBytes = 0 } = encoding;
  if (trailerBytes > 0 && info.scale === undefined)
    pieces.push(whole(offsetBytes + lengthBytes - trailerBytes, trailerBytes));
  return pieces;
}

export function bytesOf({ encoding }: TensorInfo, elems: number): number {
  return (elems / encoding.blockElems) * encoding.blockBytes;
}
