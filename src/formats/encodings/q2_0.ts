// Q2_0 of llama.cpp and the two forms of PrismML: an f16 scale, then two-bit codes, four neighbours to a byte, the
// first in the lowest bits. Mainline has groups of 64; PrismML had groups of 128 under the same type id, later under
// an id of its own (gguf-types.ts tells them apart). A code 3 would be +2, which no ternary model has.

import { f16Table } from '../f16.ts';
import type { TernaryEncoding } from '../types.ts';
import { badScale, damaged } from './damaged.ts';

export const q2_0 = encoding(42, 'Q2_0', 64);
export const q2_0Group128 = encoding(42, 'Q2_0 (128)', 128);
export const pq2_0 = encoding(142, 'PQ2_0', 128);

function encoding(id: number, name: string, group: number): TernaryEncoding {
  const blockBytes = 2 + group / 4;
  return {
    id,
    name,
    family: 'ternary',
    blockElems: group,
    blockBytes,
    scaleElems: group,

    decode(bytes, elems, codes, scales) {
      const blocks = elems / group;
      const source = new DataView(bytes.buffer, bytes.byteOffset, blocks * blockBytes);
      const target = new DataView(codes.buffer, codes.byteOffset, elems);
      const halves = f16Table();
      let threes = 0;
      let zero = 0;
      for (let b = 0, from = 0, out = 0; b < blocks; b++) {
        const scale = halves[source.getUint16(from, true)]!;
        scales[b] = scale;
        zero += scale * 0; // NaN for ever after an infinity or a NaN
        from += 2;
        for (const end = out + group; out < end; from += 4, out += 16) {
          const four = source.getUint32(from, true);
          threes |= four & (four >>> 1);
          target.setUint32(out, fourCodes(four & 255), true);
          target.setUint32(out + 4, fourCodes((four >>> 8) & 255), true);
          target.setUint32(out + 8, fourCodes((four >>> 16) & 255), true);
          target.setUint32(out + 12, fourCodes(four >>> 24), true);
        }
      }
      if (threes & 0x55555555) throw damaged(name, 'the model is not a ternary one, or the file is damaged');
      if (zero !== 0) throw badScale(name);
    },
  };
}

/** Two bits of a byte into each byte of a word. */
function fourCodes(byte: number): number {
  return (byte | (byte << 6) | (byte << 12) | (byte << 18)) & 0x03030303;
}
