// F32, little-endian, as every host of WebAssembly is.

import type { DenseEncoding } from '../types.ts';

export const f32: DenseEncoding = {
  id: 0,
  name: 'F32',
  family: 'dense',
  blockElems: 1,
  blockBytes: 4,

  decode(bytes, elems, out) {
    // By bytes: the source need not be aligned.
    new Uint8Array(out.buffer, out.byteOffset, elems * 4).set(bytes.subarray(0, elems * 4));
  },
};
