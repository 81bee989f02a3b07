// Q8_0 of llama.cpp: an f16 scale, then 32 signed bytes.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';

export const q8_0: DenseEncoding = {
  id: 8,
  name: 'Q8_0',
  family: 'dense',
  blockElems: 32,
  blockBytes: 34,
  i8ScaleElems: 32,

  decode(bytes, elems, out) {
    const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * 34);
    const table = f16Table();
    for (let from = 0, o = 0; o < elems; from += 34, o += 32) {
      const scale = table[source.getUint16(from, true)]!;
      for (let i = 0; i < 32; i++) out[o + i] = source.getInt8(from + 2 + i) * scale;
    }
  },

  decodeI8(bytes, elems, q, scales) {
    const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * 34);
    const table = f16Table();
    for (let from = 0, o = 0; o < elems; from += 34, o += 32) {
      scales[o / 32] = table[source.getUint16(from, true)]!;
      for (let i = 0; i < 32; i++) q[o + i] = source.getInt8(from + 2 + i);
    }
  },
};
