// The encoding of ternary weights that come from a checkpoint of floats or packed bytes; in no file, so without an id
// of GGUF. A block is a row: two bits each, the first weight in the lowest, then the row's scales as f32.

import type { TernaryEncoding } from '../types.ts';
import { badScale, damaged } from './damaged.ts';

const name = 'ternary rows';

/** Of each byte the four codes, as a little-endian u32. */
const fourCodes = Uint32Array.from(
  { length: 256 },
  (_, byte) => (byte & 3) | ((byte & 12) << 6) | ((byte & 48) << 12) | ((byte & 192) << 18),
);

/**
 * @param cols weights of a row
 * @param scaleElems weights that share a scale; divides `cols`. Default: the row
 */
export function rowsEncoding(cols: number, scaleElems = cols): TernaryEncoding {
  const codeBytes = Math.ceil(cols / 4);
  const scalesPerRow = cols / scaleElems;
  const blockBytes = codeBytes + 4 * scalesPerRow;
  return {
    id: -1,
    name,
    family: 'ternary',
    blockElems: cols,
    blockBytes,
    scaleElems,

    decode(bytes, elems, codes, scales) {
      const rows = elems / cols;
      const source = new DataView(bytes.buffer, bytes.byteOffset, rows * blockBytes);
      const target = new DataView(codes.buffer, codes.byteOffset, elems);
      const whole = cols >> 2;
      let threes = 0;
      let zero = 0;
      for (let row = 0; row < rows; row++) {
        const from = row * blockBytes;
        const to = row * cols;
        for (let i = 0; i < whole; i++) {
          const byte = bytes[from + i]!;
          threes |= byte & (byte >> 1);
          target.setUint32(to + i * 4, fourCodes[byte]!, true);
        }
        for (let col = whole * 4; col < cols; col++) {
          const code = (bytes[from + whole]! >> ((col & 3) * 2)) & 3;
          threes |= code & (code >> 1);
          codes[to + col] = code;
        }
        for (let i = 0; i < scalesPerRow; i++) {
          const scale = source.getFloat32(from + codeBytes + 4 * i, true);
          scales[row * scalesPerRow + i] = scale;
          zero += scale * 0; // NaN for ever after an infinity or a NaN
        }
      }
      if (threes & 0x55) throw damaged(name);
      if (zero !== 0) throw badScale(name);
    },

    encode(codes, scales, elems, bytes) {
      const rows = elems / cols;
      const target = new DataView(bytes.buffer, bytes.byteOffset, rows * blockBytes);
      for (let row = 0; row < rows; row++) {
        const from = row * cols;
        const to = row * blockBytes;
        let at = from;
        for (let i = 0; i < cols >> 2; i++, at += 4) {
          bytes[to + i] = codes[at]! | (codes[at + 1]! << 2) | (codes[at + 2]! << 4) | (codes[at + 3]! << 6);
        }
        if (cols % 4 > 0) {
          let last = 0;
          for (let col = 0; col < cols % 4; col++) last |= codes[at + col]! << (2 * col);
          bytes[to + codeBytes - 1] = last;
        }
        for (let i = 0; i < scalesPerRow; i++) {
          target.setFloat32(to + codeBytes + 4 * i, scales[row * scalesPerRow + i]!, true);
        }
      }
    },
  };
}
