// Q1_0 of llama.cpp (PrismML's 1-bit models): an f16 scale, then 128 bits, the first in the lowest bit of a byte.

import { f16Table } from '../f16.ts';
import type { BinaryEncoding } from '../types.ts';
import { badScale } from './damaged.ts';

export const q1_0: BinaryEncoding = {
  id: 41,
  name: 'Q1_0',
  family: 'binary',
  blockElems: 128,
  blockBytes: 18,
  scaleElems: 128,

  decode(bytes, elems, bits, scales) {
    const blocks = elems / 128;
    const source = new DataView(bytes.buffer, bytes.byteOffset, blocks * 18);
    const target = new DataView(bits.buffer, bits.byteOffset, elems / 8);
    const halves = f16Table();
    let zero = 0;
    for (let b = 0; b < blocks; b++) {
      const scale = halves[source.getUint16(b * 18, true)]!;
      scales[b] = scale;
      zero += scale * 0; // NaN for ever after an infinity or a NaN
      for (let i = 0; i < 16; i += 4) target.setUint32(b * 16 + i, source.getUint32(b * 18 + 2 + i, true), true);
    }
    if (zero !== 0) throw badScale('Q1_0');
  },
};
