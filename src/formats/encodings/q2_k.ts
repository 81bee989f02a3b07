// Q2_K of llama.cpp: blocks of 256 two-bit numbers; a byte for each 16 holds a scale and a minimum of four bits, f16
// scales of both come last.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';

export const q2_k: DenseEncoding = {
  id: 10,
  name: 'Q2_K',
  family: 'dense',
  blockElems: 256,
  blockBytes: 84,

  decode(bytes, elems, out) {
    const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 256) * 84);
    const halves = f16Table();
    for (let from = 0, o = 0; o < elems; from += 84, o += 256) {
      const d = halves[source.getUint16(from + 80, true)]!;
      const dMin = halves[source.getUint16(from + 82, true)]!;
      for (let run = 0; run < 16; run++) {
        const both = bytes[from + run]!;
        const scale = d * (both & 15);
        const minimum = dMin * (both >> 4);
        // A half has 32 bytes; its eight runs take their four pairs of bits, two runs a pair.
        const at = from + 16 + (run >> 3) * 32 + (run & 1) * 16;
        const shift = run & 6;
        // Exact but for the rounding to f32: scale * q has 17 bits.
        for (let i = 0; i < 16; i++) out[o + run * 16 + i] = scale * ((bytes[at + i]! >> shift) & 3) - minimum;
      }
    }
  },
};
