// TQ1_0 of llama.cpp: blocks of 256 codes, five to a byte (four in the last four bytes), then an f16 scale. A byte is
// a fraction in base 3: multiplying by 3 pushes the next digit out at the top.

import { f16Table } from '../f16.ts';
import type { TernaryEncoding } from '../types.ts';
import { badScale } from './damaged.ts';

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
      for (let i = 0; i < 32; i += 4) unpack(source.getUint32(from + i, true), target, out + i, 32, 5);
      for (let i = 0; i < 16; i += 4) unpack(source.getUint32(from + 32 + i, true), target, out + 160 + i, 16, 5);
      unpack(source.getUint32(from + 48, true), target, out + 240, 4, 4);
      const scale = halves[source.getUint16(from + 52, true)]!;
      scales[b] = scale;
      zero += scale * 0;
    }
    if (zero !== 0) throw badScale('TQ1_0');
  },
};

/** Digit n of four bytes goes to four neighbouring codes at `out + n * stride`. No byte can give a code 3. */
function unpack(four: number, target: DataView, out: number, stride: number, digits: number): void {
  // Bytes 0, 2 and bytes 1, 3, each in a lane of 16 bits: 3 * 255 does not run over.
  let even = four & 0x00ff00ff;
  let odd = (four >>> 8) & 0x00ff00ff;
  for (let n = 0; n < digits; n++) {
    even = Math.imul(even, 3);
    odd = Math.imul(odd, 3);
    target.setUint32(out + n * stride, ((even >>> 8) & 0x00030003) | (odd & 0x03000300), true);
    even &= 0x00ff00ff;
    odd &= 0x00ff00ff;
  }
}
