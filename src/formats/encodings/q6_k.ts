// Q6_K of llama.cpp: blocks of 256 six-bit numbers, low four bits and high two bits apart, sixteen signed 8-bit scales
// and an f16 scale of those. bitnet.cpp writes embeddings so.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';
import { encodeQ6K } from './q6_k-encode.ts';

const blockBytes = 210;
const highAt = 128;
const scalesAt = 192;
const scaleAt = 208;

export const q6_k: DenseEncoding = {
  id: 14,
  name: 'Q6_K',
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

  encode: encodeQ6K,
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
  for (let half = 0; half < 2; half++) {
    const low = from + half * 64;
    const high = from + highAt + half * 32;
    const out = qAt + half * 128;
    for (let i = 0; i < 32; i++) {
      const a = bytes[low + i]!;
      const b = bytes[low + 32 + i]!;
      const h = bytes[high + i]!;
      q[out + i] = ((a & 15) | ((h & 3) << 4)) - 32;
      q[out + i + 32] = ((b & 15) | ((h & 12) << 2)) - 32;
      q[out + i + 64] = ((a >> 4) | (h & 48)) - 32;
      q[out + i + 96] = ((b >> 4) | ((h & 192) >> 2)) - 32;
    }
  }
  const scale = f16Table()[bytes[from + scaleAt]! | (bytes[from + scaleAt + 1]! << 8)]!;
  // Storing in f32 is the rounding that llama.cpp does.
  for (let i = 0; i < 16; i++) scales[sAt + i] = scale * ((bytes[from + scalesAt + i]! << 24) >> 24);
}
