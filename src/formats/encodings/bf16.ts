// BF16: the upper half of an f32.

import type { DenseEncoding } from '../types.ts';
import { asUint16 } from './words.ts';

export const bf16: DenseEncoding = {
  id: 30,
  name: 'BF16',
  family: 'dense',
  blockElems: 1,
  blockBytes: 2,

  decode(bytes, elems, out) {
    const halves = asUint16(bytes, elems);
    const bits = new Uint32Array(out.buffer, out.byteOffset, elems);
    for (let i = 0; i < elems; i++) bits[i] = halves[i]! << 16;
  },

  encode(numbers, elems, bytes) {
    const source = new Uint32Array(numbers.buffer, numbers.byteOffset, elems);
    const target = new DataView(bytes.buffer, bytes.byteOffset, elems * 2);
    for (let i = 0; i < elems; i++) {
      const bits = source[i]!;
      // To nearest, ties to even; a NaN stays one, made quiet.
      const nan = (bits & 0x7fffffff) > 0x7f800000;
      target.setUint16(2 * i, nan ? (bits >>> 16) | 0x40 : (bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16, true);
    }
  },
};
