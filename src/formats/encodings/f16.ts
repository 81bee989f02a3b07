// F16: IEEE halves.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';
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
};
