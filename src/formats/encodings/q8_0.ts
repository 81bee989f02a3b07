// Q8_0 of llama.cpp: an f16 scale, then 32 signed bytes.

import { f16Table } from '../f16.ts';
import type { DenseEncoding } from '../types.ts';
import { unwritableScale } from './damaged.ts';
import { writeScale } from './halves.ts';

export const q8_0: DenseEncoding = {
  id: 8,
  name: 'Q8_0',
  family: 'dense',
  blockElems: 32,
  blockBytes: 34,
  i8ScaleElems: 32,

  decode(bytes, elems, out) {
    const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * 34);
    const table = f16Table();
    for (let from = 0, o = 0; o < elems; from += 34, o += 32) {
      const scale = table[source.getUint16(from, true)]!;
      for (let i = 0; i < 32; i++) out[o + i] = source.getInt8(from + 2 + i) * scale;
    }
  },

  decodeI8(bytes, elems, q, scales) {
    const source = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * 34);
    const table = f16Table();
    for (let from = 0, o = 0; o < elems; from += 34, o += 32) {
      scales[o / 32] = table[source.getUint16(from, true)]!;
      for (let i = 0; i < 32; i++) q[o + i] = source.getInt8(from + 2 + i);
    }
  },

  encode(numbers, elems, bytes) {
    const target = new DataView(bytes.buffer, bytes.byteOffset, (elems / 32) * 34);
    for (let to = 0, o = 0; o < elems; to += 34, o += 32) {
      let largest = 0;
      let zero = 0;
      for (let i = 0; i < 32; i++) {
        const size = Math.abs(numbers[o + i]!);
        if (size > largest) largest = size;
        zero += size * 0;
      }
      if (zero !== 0) throw unwritableScale('Q8_0');
      // The numbers are divided by the scale in f32, not by the half that is written: as llama.cpp does.
      const scale = Math.fround(largest / 127);
      const inverse = scale === 0 ? 0 : Math.fround(1 / scale);
      writeScale('Q8_0', target, to, scale);
      for (let i = 0; i < 32; i++) {
        const steps = Math.fround(numbers[o + i]! * inverse);
        // Halves away from zero.
        target.setInt8(to + 2 + i, steps < 0 ? -Math.floor(0.5 - steps) : Math.floor(steps + 0.5));
      }
    }
  },
};
