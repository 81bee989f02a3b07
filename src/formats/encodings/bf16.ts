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
};
