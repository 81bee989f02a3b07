// F16: IEEE halves.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';
import { halfOfBits } from './halves.ts';
import { asUint16 } from './words.ts';

export const f16: DenseEncoding = {
  id: 1,
  name: 'F16',
  family: 'dense',
  blockElems: 1,
  blockBytes: 2,

  decode(bytes, elems, out) {
    const halves = asUint16(bytes, elems);
    const table = f16Table();
    for (let i = 0; i < elems; i++) out[i] = table[halves[i]!]!;
  },

  encode(numbers, elems, bytes) {
    const bits = new Uint32Array(numbers.buffer, numbers.byteOffset, elems);
    const target = new DataView(bytes.buffer, bytes.byteOffset, elems * 2);
    for (let i = 0; i < elems; i++) target.setUint16(2 * i, halfOfBits(bits[i]!), true);
  },
};
