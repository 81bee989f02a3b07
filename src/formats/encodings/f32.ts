// F32, little-endian, as every host of WebAssembly is.

import type { DenseEncoding } from '../types.ts';

export const f32: DenseEncoding = {
  id: 0,
  name: 'F32',
  family: 'dense',
  blockElems: 1,
  blockBytes: 4,

  // Both by bytes: those of the file need not be aligned.
  decode(bytes, elems, out) {
    new Uint8Array(out.buffer, out.byteOffset, elems * 4).set(bytes.subarray(0, elems * 4));
  },

  encode(numbers, elems, bytes) {
    bytes.set(new Uint8Array(numbers.buffer, numbers.byteOffset, elems * 4));
  },
};
