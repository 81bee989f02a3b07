// TQ1_0 of llama.cpp: blocks of 256 codes, five to a byte (four in the last four bytes), then an f16 scale.

import { f16Table } from '../f16.ts';
import type { TernaryEncoding } from '../types.ts';
import { badCode, badScale } from './damaged.ts';
import { writeScale } from './halves.ts';
import { packTrits, unpackTrits } from './trits.ts';

export const tq1: TernaryEncoding = {
  id: 34,
  name: 'TQ1_0',
  family: 'ternary',
  blockElems: 256,
  blockBytes: 54,
  scaleElems: 256,

  decode(bytes, elems, codes, scales) {
    const blocks = elems / 256;
    const source = new DataView(bytes.buffer, bytes.byteOffset, blocks * 54);
    const target = new DataView(codes.buffer, codes.byteOffset, elems);
    const halves = f16Table();
    let zero = 0;
    for (let b = 0; b < blocks; b++) {
      const from = b * 54;
      const out = b * 256;
      unpackTrits(source, from, 32, 5, target, out);
      unpackTrits(source, from + 32, 16, 5, target, out + 160);
      unpackTrits(source, from + 48, 4, 4, target, out + 240);
      const scale = halves[source.getUint16(from + 52, true)]!;
      scales[b] = scale;
      zero += scale * 0;
    }
    if (zero !== 0) throw badScale('TQ1_0');
  },

  encode(codes, scales, elems, bytes) {
    const target = new DataView(bytes.buffer, bytes.byteOffset, (elems / 256) * 54);
    let wrong = 0;
    for (let b = 0; b < elems / 256; b++) {
      wrong |= packTrits(codes, b * 256, 32, 5, bytes, b * 54);
      wrong |= packTrits(codes, b * 256 + 160, 16, 5, bytes, b * 54 + 32);
      wrong |= packTrits(codes, b * 256 + 240, 4, 4, bytes, b * 54 + 48);
      writeScale('TQ1_0', target, b * 54 + 52, scales[b]!);
    }
    if (wrong) throw badCode('TQ1_0');
  },
};
