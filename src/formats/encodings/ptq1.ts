// PTQ1_0 of PrismML: blocks of 128 codes, five to a byte (four in the last two bytes), then an f16 scale.

import { f16Table } from '../f16.ts';
import type { TernaryEncoding } from '../types.ts';
import { badScale } from './damaged.ts';
import { unpackTrits } from './trits.ts';

export const ptq1: TernaryEncoding = {
  id: 143,
  name: 'PTQ1_0',
  family: 'ternary',
  blockElems: 128,
  blockBytes: 28,
  scaleElems: 128,

  decode(bytes, elems, codes, scales) {
    const blocks = elems / 128;
    const source = new DataView(bytes.buffer, bytes.byteOffset, blocks * 28);
    const target = new DataView(codes.buffer, codes.byteOffset, elems);
    const halves = f16Table();
    let zero = 0;
    for (let b = 0; b < blocks; b++) {
      const from = b * 28;
      const out = b * 128;
      unpackTrits(source, from, 16, 5, target, out);
      unpackTrits(source, from + 16, 8, 5, target, out + 80);
      unpackTrits(source, from + 24, 2, 4, target, out + 120);
      const scale = halves[source.getUint16(from + 26, true)]!;
      scales[b] = scale;
      zero += scale * 0;
    }
    if (zero !== 0) throw badScale('PTQ1_0');
  },
};
