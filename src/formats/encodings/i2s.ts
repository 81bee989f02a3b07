// I2_S of bitnet.cpp: two bits a code, one scale for the tensor behind them. The file does not say in which of three
// orders the codes stand (i2s-layout.ts finds out). Here the two whose blocks run on over the whole tensor, whatever
// its rows: a byte holds four codes that are a quarter of a block apart, the first in the top bits.

import { TernlightError } from '../../errors.ts';
import type { TernaryEncoding } from '../types.ts';
import { badCode, damaged } from './damaged.ts';
import { notTernary } from './words.ts';

/** What all orders have in common: where the scale is. */
export const i2sTrailer = {
  id: 36,
  family: 'ternary',
  trailerBytes: 32,
  scaleElems: 'tensor',

  tensorScale(trailer: Uint8Array): number {
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
} as const;

/** Blocks of 4 * `quarter` codes. */
function decode(bytes: Uint8Array, elems: number, codes: Uint8Array, quarter: number): void {
  const source = new DataView(bytes.buffer, bytes.byteOffset, elems / 4);
  const target = new DataView(codes.buffer, codes.byteOffset, elems);
  let threes = 0;
  for (let block = 0, out = 0; out < elems; block += quarter, out += 4 * quarter) {
    for (let i = 0; i < quarter; i += 4) {
      // Four bytes at a time: the same two bits of each are four neighbouring codes.
      const four = source.getUint32(block + i, true);
      threes |= four & (four >>> 1);
      target.setUint32(out + i, (four >>> 6) & 0x03030303, true);
      target.setUint32(out + i + quarter, (four >>> 4) & 0x03030303, true);
      target.setUint32(out + i + 2 * quarter, (four >>> 2) & 0x03030303, true);
      target.setUint32(out + i + 3 * quarter, four & 0x03030303, true);
    }
  }
  if (threes & 0x55555555) throw damaged('I2_S');
}

/** The 128/32 order of the published files, and of everything written here. */
export const i2s: TernaryEncoding = {
  ...i2sTrailer,
  name: 'I2_S',
  blockElems: 128,
  blockBytes: 32,
  planes: { quarterBytes: 32, firstIn: 'high' },

  decode: (bytes, elems, codes) => decode(bytes, elems, codes, 32),

  encode(codes, _scales, elems, bytes) {
    const source = new DataView(codes.buffer, codes.byteOffset, elems);
    const target = new DataView(bytes.buffer, bytes.byteOffset, elems / 4);
    let wrong = 0;
    for (let block = 0, from = 0; from < elems; block += 32, from += 128) {
      for (let i = 0; i < 32; i += 4) {
        const c0 = source.getUint32(from + i, true);
        const c1 = source.getUint32(from + i + 32, true);
        const c2 = source.getUint32(from + i + 64, true);
        const c3 = source.getUint32(from + i + 96, true);
        wrong |= notTernary(c0) | notTernary(c1) | notTernary(c2) | notTernary(c3);
        target.setUint32(block + i, (c0 << 6) | (c1 << 4) | (c2 << 2) | c3, true);
      }
    }
    if (wrong) throw badCode('I2_S');
  },

  encodeTrailer(scale) {
    if (!Number.isFinite(Math.fround(scale))) {
      throw new TernlightError('unsupported', `I2_S: the scale to be written is ${scale}, expected a finite f32`);
    }
    const trailer = new Uint8Array(32);
    new DataView(trailer.buffer).setFloat32(0, scale, true);
    return trailer;
  },
};

/** The 64/16 order of bitnet.cpp's quantiser where it was built for ARM. */
export const i2sArm: TernaryEncoding = {
  ...i2sTrailer,
  name: 'I2_S (arm)',
  blockElems: 64,
  blockBytes: 16,
  planes: { quarterBytes: 16, firstIn: 'high' },
  decode: (bytes, elems, codes) => decode(bytes, elems, codes, 16),
};
