// Q4_K and Q5_K of llama.cpp: blocks of 256 numbers of four or five bits; each 32 have a scale and a minimum of six
// bits, with f16 scales of both. Q5_K has the fifth bits apart, before the other four.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';

export const q4_k = encoding(12, 'Q4_K', 4);
export const q5_k = encoding(13, 'Q5_K', 5);

const scalesAt = 4;
const afterScales = 16;

function encoding(id: number, name: string, bits: 4 | 5): DenseEncoding {
  const blockBytes = bits === 5 ? 176 : 144;
  return {
    id,
    name,
    family: 'dense',
    blockElems: 256,
    blockBytes,

    decode(bytes, elems, out) {
      const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 256) * blockBytes);
      const halves = f16Table();
      for (let from = 0, o = 0; o < elems; from += blockBytes, o += 256) {
        const d = halves[source.getUint16(from, true)]!;
        const dMin = halves[source.getUint16(from + 2, true)]!;
        const lowAt = from + afterScales + (bits === 5 ? 32 : 0);
        for (let run = 0; run < 8; run++) {
          const [six, sixMin] = scaleAndMinimum(bytes, from + scalesAt, run);
          const scale = d * six;
          const minimum = dMin * sixMin;
          const at = lowAt + (run >> 1) * 32;
          const shift = (run & 1) * 4;
          const to = o + run * 32;
          // Exact but for the rounding to f32: scale * q has 22 bits.
          if (bits === 4) {
            for (let i = 0; i < 32; i++) out[to + i] = scale * ((bytes[at + i]! >> shift) & 15) - minimum;
          } else {
            for (let i = 0; i < 32; i++) {
              const fifth = (bytes[from + afterScales + i]! >> run) & 1;
              out[to + i] = scale * (((bytes[at + i]! >> shift) & 15) | (fifth << 4)) - minimum;
            }
          }
        }
      }
    },
  };
}

/** Eight pairs in twelve bytes: the first four pairs have six bits of a byte, whose top two belong to the others. */
function scaleAndMinimum(bytes: Uint8Array, at: number, run: number): [scale: number, minimum: number] {
  if (run < 4) return [bytes[at + run]! & 63, bytes[at + run + 4]! & 63];
  const low = bytes[at + run + 4]!;
  return [(low & 15) | ((bytes[at + run - 4]! >> 6) << 4), (low >> 4) | ((bytes[at + run]! >> 6) << 4)];
}
