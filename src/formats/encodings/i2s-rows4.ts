// I2_S in its third order (bitnet.cpp's quantiser for x86 built without ACT_PARALLEL): a byte holds four codes of one
// column in four neighbouring rows, the first row in the top bits.

import type { TernaryEncoding } from '../types.ts';
import { damaged } from './damaged.ts';
import { i2sTrailer } from './i2s.ts';

/** @param cols elements of a row; a block is four rows */
export function i2sRows4(cols: number): TernaryEncoding {
  return {
    ...i2sTrailer,
    name: 'I2_S (rows4)',
    blockElems: 4 * cols,
    blockBytes: cols,

    decode(bytes, elems, codes) {
      const source = new DataView(bytes.buffer, bytes.byteOffset, elems / 4);
      const target = new DataView(codes.buffer, codes.byteOffset, elems);
      let threes = 0;
      for (let block = 0, out = 0; out < elems; block += cols, out += 4 * cols) {
        let col = 0;
        for (; col + 4 <= cols; col += 4) {
          const four = source.getUint32(block + col, true);
          threes |= four & (four >>> 1);
          target.setUint32(out + col, (four >>> 6) & 0x03030303, true);
          target.setUint32(out + col + cols, (four >>> 4) & 0x03030303, true);
          target.setUint32(out + col + 2 * cols, (four >>> 2) & 0x03030303, true);
          target.setUint32(out + col + 3 * cols, four & 0x03030303, true);
        }
        for (; col < cols; col++) {
          const byte = source.getUint8(block + col);
          threes |= byte & (byte >>> 1);
          for (let row = 0; row < 4; row++) target.setUint8(out + col + row * cols, (byte >> (6 - 2 * row)) & 3);
        }
      }
      if (threes & 0x55555555) throw damaged('I2_S');
    },
  };
}
