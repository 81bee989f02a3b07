// The older blocks of llama.cpp: Q4_0, Q4_1, Q5_0, Q5_1. 32 numbers of four or five bits: an f16 scale, in the _1
// types an f16 minimum, in Q5 the top bits of all in a word, then 16 bytes with numbers 0..15 in the low halves and
// 16..31 in the high ones.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';

export const q4_0 = symmetric(2, 'Q4_0', 4);
export const q4_1 = withMinimum(3, 'Q4_1', 4);
export const q5_0 = symmetric(6, 'Q5_0', 5);
export const q5_1 = withMinimum(7, 'Q5_1', 5);

/** (q - half the range) * scale */
function symmetric(id: number, name: string, bits: 4 | 5): DenseEncoding {
  const blockBytes = bits === 5 ? 22 : 18;
  return {
    id,
    name,
    family: 'dense',
    blockElems: 32,
    blockBytes,
    i8ScaleElems: 32,

    decode(bytes, elems, out) {
      const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * blockBytes);
      const q = new Int8Array(32);
      const target = new DataView(q.buffer);
      const halves = f16Table();
      for (let from = 0, o = 0; o < elems; from += blockBytes, o += 32) {
        const d = halves[source.getUint16(from, true)]!;
        unpack(source, from + 2, bits, target, 0);
        centre(target, 0, bits);
        for (let i = 0; i < 32; i++) out[o + i] = q[i]! * d;
      }
    },

    decodeI8(bytes, elems, q, scales) {
      const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * blockBytes);
      const target = new DataView(q.buffer, q.byteOffset, elems);
      const halves = f16Table();
      for (let from = 0, o = 0; o < elems; from += blockBytes, o += 32) {
        scales[o / 32] = halves[source.getUint16(from, true)]!;
        unpack(source, from + 2, bits, target, o);
        centre(target, o, bits);
      }
    },
  };
}

/** q * scale + minimum */
function withMinimum(id: number, name: string, bits: 4 | 5): DenseEncoding {
  const blockBytes = bits === 5 ? 24 : 20;
  return {
    id,
    name,
    family: 'dense',
    blockElems: 32,
    blockBytes,

    decode(bytes, elems, out) {
      const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * blockBytes);
      const q = new Uint8Array(32);
      const target = new DataView(q.buffer);
      const halves = f16Table();
      for (let from = 0, o = 0; o < elems; from += blockBytes, o += 32) {
        const d = halves[source.getUint16(from, true)]!;
        const m = halves[source.getUint16(from + 2, true)]!;
        unpack(source, from + 4, bits, target, 0);
        // Exact but for the rounding to f32: q * d has 16 bits.
        for (let i = 0; i < 32; i++) out[o + i] = q[i]! * d + m;
      }
    },
  };
}

/** What follows the scales: 32 bytes of 0..15 or 0..31 at `out`. */
function unpack(source: DataView, at: number, bits: 4 | 5, target: DataView, out: number): void {
  const top = bits === 5 ? source.getUint32(at, true) : 0;
  const from = bits === 5 ? at + 4 : at;
  for (let i = 0; i < 16; i += 4) {
    const four = source.getUint32(from + i, true);
    target.setUint32(out + i, (four & 0x0f0f0f0f) | fifthBits(top >>> i), true);
    target.setUint32(out + i + 16, ((four >>> 4) & 0x0f0f0f0f) | fifthBits(top >>> (16 + i)), true);
  }
}

/** The lowest four bits, each as bit 4 of a byte. */
function fifthBits(bits: number): number {
  return (Math.imul(bits & 15, 0x00204081) & 0x01010101) << 4;
}

/** 32 bytes less half the range, four at a time: the top bit of each is there to borrow from. */
function centre(target: DataView, at: number, bits: 4 | 5): void {
  const middle = bits === 5 ? 0x10101010 : 0x08080808;
  for (let i = at; i < at + 32; i += 4) {
    target.setUint32(i, ((target.getUint32(i, true) | 0x80808080) - middle) ^ 0x80808080, true);
  }
}
