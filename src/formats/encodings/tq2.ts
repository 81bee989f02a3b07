// TQ2_0 of llama.cpp: blocks of 256 codes, two bits each, then an f16 scale.

import { f16Table } from '../f16.ts';
import type { TernaryEncoding } from '../types.ts';
import { badCode, badScale, damaged } from './damaged.ts';
import { writeScale } from './halves.ts';
import { notTernary } from './words.ts';

function decodeScales(bytes: Uint8Array, elems: number, scales: Float32Array): void {
  const blocks = elems / 256;
  const source = new DataView(bytes.buffer, bytes.byteOffset, blocks * 66);
  const halves = f16Table();
  let zero = 0;
  for (let b = 0; b < blocks; b++) {
    const scale = halves[source.getUint16(b * 66 + 64, true)]!;
    scales[b] = scale;
    zero += scale * 0; // NaN for ever after an infinity or a NaN
  }
  if (zero !== 0) throw badScale('TQ2_0');
}

export const tq2: TernaryEncoding = {
  id: 35,
  name: 'TQ2_0',
  family: 'ternary',
  blockElems: 256,
  blockBytes: 66,
  scaleElems: 256,
  planes: { quarterBytes: 32, firstIn: 'low', scales: decodeScales },

  decode(bytes, elems, codes, scales) {
    const blocks = elems / 256;
    const source = new DataView(bytes.buffer, bytes.byteOffset, blocks * 66);
    const target = new DataView(codes.buffer, codes.byteOffset, elems);
    let threes = 0;
    for (let b = 0; b < blocks; b++) {
      for (let half = 0; half < 2; half++) {
        const from = b * 66 + half * 32;
        const out = b * 256 + half * 128;
        for (let i = 0; i < 32; i += 4) {
          const four = source.getUint32(from + i, true);
          threes |= four & (four >>> 1);
          target.setUint32(out + i, four & 0x03030303, true);
          target.setUint32(out + i + 32, (four >>> 2) & 0x03030303, true);
          target.setUint32(out + i + 64, (four >>> 4) & 0x03030303, true);
          target.setUint32(out + i + 96, (four >>> 6) & 0x03030303, true);
        }
      }
    }
    decodeScales(bytes, elems, scales);
    if (threes & 0x55555555) throw damaged('TQ2_0');
  },

  encode(codes, scales, elems, bytes) {
    const source = new DataView(codes.buffer, codes.byteOffset, elems);
    const target = new DataView(bytes.buffer, bytes.byteOffset, (elems / 256) * 66);
    let wrong = 0;
    for (let b = 0; b < elems / 256; b++) {
      for (let half = 0; half < 2; half++) {
        const from = b * 256 + half * 128;
        for (let i = 0; i < 32; i += 4) {
          const c0 = source.getUint32(from + i, true);
          const c1 = source.getUint32(from + i + 32, true);
          const c2 = source.getUint32(from + i + 64, true);
          const c3 = source.getUint32(from + i + 96, true);
          wrong |= notTernary(c0) | notTernary(c1) | notTernary(c2) | notTernary(c3);
          target.setUint32(b * 66 + half * 32 + i, c0 | (c1 << 2) | (c2 << 4) | (c3 << 6), true);
        }
      }
      writeScale('TQ2_0', target, b * 66 + 64, scales[b]!);
    }
    if (wrong) throw badCode('TQ2_0');
  },
};
