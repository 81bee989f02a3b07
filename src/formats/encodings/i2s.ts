// I2_S of bitnet.cpp, in the 128/32 order of its published files: 128 codes in 32 bytes, the first 32 in the top bits.
// One scale for the tensor, after the codes. Blocks run on over the whole tensor, whatever its rows.

import { TernlightError } from '../../errors.ts';
import type { TernaryEncoding } from '../types.ts';
import { damaged } from './damaged.ts';

export const i2s: TernaryEncoding = {
  id: 36,
  name: 'I2_S',
  family: 'ternary',
  blockElems: 128,
  blockBytes: 32,
  trailerBytes: 32,
  scaleElems: 'tensor',

  decode(bytes, elems, codes) {
    const source = new DataView(bytes.buffer, bytes.byteOffset, elems / 4);
    const target = new DataView(codes.buffer, codes.byteOffset, elems);
    let threes = 0;
    for (let block = 0, out = 0; out < elems; block += 32, out += 128) {
      for (let i = 0; i < 32; i += 4) {
        // Four bytes at a time: the same two bits of each are four neighbouring codes.
        const four = source.getUint32(block + i, true);
        threes |= four & (four >>> 1);
        target.setUint32(out + i, (four >>> 6) & 0x03030303, true);
        target.setUint32(out + i + 32, (four >>> 4) & 0x03030303, true);
        target.setUint32(out + i + 64, (four >>> 2) & 0x03030303, true);
        target.setUint32(out + i + 96, four & 0x03030303, true);
      }
    }
    if (threes & 0x55555555) throw damaged('I2_S');
  },

  tensorScale(trailer) {
    // Only the first float means anything: the rest is whatever the writer had in memory.
    const scale = new DataView(trailer.buffer, trailer.byteOffset, 4).getFloat32(0, true);
    if (!Number.isFinite(scale)) {
      throw new TernlightError(
        'invalid-file',
        `I2_S: the tensor's scale is ${scale}, expected a finite number; download the file again`,
      );
    }
    return scale;
  },
};
