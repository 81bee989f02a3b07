// The ternary matrices of a BitMamba .bin: four codes a byte, the first in the lowest bits. One scale for the tensor,
// which the tensor's header tells.

import { damaged } from './encodings/damaged.ts';
import type { TernaryEncoding } from './types.ts';

export const bitmambaTernary: TernaryEncoding = {
  id: -1, // GGUF has none
  name: 'BitMamba',
  family: 'ternary',
  blockElems: 4,
  blockBytes: 1,
  scaleElems: 'tensor',

  decode(bytes, elems, codes) {
    const blocks = elems / 4;
    const target = new DataView(codes.buffer, codes.byteOffset, elems);
    let threes = 0;
    for (let b = 0; b < blocks; b++) {
      const four = bytes[b]!;
      threes |= four & (four >>> 1);
      // Each pair of bits to the bottom of a byte of its own.
      target.setUint32(b * 4, (four | (four << 6) | (four << 12) | (four << 18)) & 0x03030303, true);
    }
    if (threes & 0x55) throw damaged('BitMamba');
  },
};
