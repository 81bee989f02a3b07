// Q3_K of llama.cpp: blocks of 256 three-bit numbers, their top bits apart, sixteen six-bit scales and an f16 scale of
// those.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';

const blockBytes = 110;
const lowAt = 32;
const scalesAt = 96;
const scaleAt = 108;

export const q3_k: DenseEncoding = {
  id: 11,
  name: 'Q3_K',
  family: 'dense',
  blockElems: 256,
  blockBytes,
  i8ScaleElems: 16,

  decode(bytes, elems, out) {
    const q = new Int8Array(256);
    const scales = new Float32Array(16);
    for (let from = 0, o = 0; o < elems; from += blockBytes, o += 256) {
      unpackBlock(bytes, from, q, 0, scales, 0);
      for (let run = 0; run < 16; run++) {
        const scale = scales[run]!;
        for (let i = run * 16; i < run * 16 + 16; i++) out[o + i] = q[i]! * scale;
      }
    }
  },

  decodeI8(bytes, elems, q, scales) {
    for (let from = 0, o = 0; o < elems; from += blockBytes, o += 256) unpackBlock(bytes, from, q, o, scales, o / 16);
  },
};

/** One block: q [256] at `qAt`, scales [16] at `sAt`, in the order of the elements. */
function unpackBlock(
  bytes: Uint8Array,
  from: number,
  q: Int8Array,
  qAt: number,
  scales: Float32Array,
  sAt: number,
): void {
  const d = f16Table()[bytes[from + scaleAt]! | (bytes[from + scaleAt + 1]! << 8)]!;
  for (let run = 0; run < 16; run++) {
    const s = from + scalesAt;
    const low = run < 8 ? bytes[s + run]! & 15 : bytes[s + run - 8]! >> 4;
    const high = (bytes[s + 8 + (run & 3)]! >> (2 * (run >> 2))) & 3;
    scales[sAt + run] = d * ((low | (high << 4)) - 32); // 17 bits: exact

    const at = from + lowAt + (run >> 3) * 32 + (run & 1) * 16;
    const shift = run & 6;
    const topAt = from + (run & 1) * 16;
    const top = run >> 1;
    const out = qAt + run * 16;
    for (let i = 0; i < 16; i++) {
      q[out + i] = (((bytes[at + i]! >> shift) & 3) | (((bytes[topAt + i]! >> top) & 1) << 2)) - 4;
    }
  }
}
