// One row of the embedding matrix from each of its forms.
import { f16ToF64 } from './f16.ts';

export function embedRow(w: ArrayLike<number>, dim: number, id: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: dim }, (_, i) => w[id * dim + i]!);
}

/** w [vocab, dim] f16 bits. */
export function embedRowF16(w: Uint16Array, dim: number, id: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: dim }, (_, i) => f16ToF64(w[id * dim + i]!));
}

/** w [vocab, dim] int8, scales [vocab, dim / blockCols]. */
export function embedRowInt8(
  w: Int8Array,
  scales: Float32Array,
  dim: number,
  blockCols: number,
  id: number,
): Float32Array<ArrayBuffer> {
  const blocks = dim / blockCols;
  return Float32Array.from(
    { length: dim },
    (_, i) => w[id * dim + i]! * scales[id * blocks + Math.floor(i / blockCols)]!,
  );
}
