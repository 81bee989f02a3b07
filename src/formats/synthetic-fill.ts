// Random but valid tensor data for synthetic models, as patterns that repeat. Periods are odd, so that the rows of a
// tensor differ.

import { TernlightError } from '../errors.ts';
import { f16 } from './encodings/f16.ts';
import { f32 } from './encodings/f32.ts';
import { i2s } from './encodings/i2s.ts';
import { tq1 } from './encodings/tq1.ts';
import { tq2 } from './encodings/tq2.ts';
import { toF16Bits } from './f16.ts';
import type { Encoding } from './types.ts';

export interface Fill {
  /** Repeats from the tensor's first byte on, beginning at a phase of the caller's choice. */
  readonly pattern: Uint8Array;
  /** Phases are multiples of this. */
  readonly blockBytes: number;
  /** After the data. */
  readonly trailer: Uint8Array;
}

/** Seeded; the same numbers everywhere. Uniform in [0, 1). */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/** @param cols inputs of a row: scales are such that a product is about as large as what goes in. */
export function fillFor(encoding: Encoding, cols: number, seed: number): Fill {
  const next = random(seed);
  const scale = 1 / Math.sqrt(0.8 * cols); // four codes in five are not 0
  const none = new Uint8Array(0);
  switch (encoding) {
    case f32: {
      const values = Float32Array.from({ length: 4099 }, () => 0.9 + 0.2 * next());
      return { pattern: new Uint8Array(values.buffer), blockBytes: 4, trailer: none };
    }
    case f16: {
      const values = Uint16Array.from({ length: 262147 }, () => toF16Bits((next() - 0.5) * 0.1));
      return { pattern: new Uint8Array(values.buffer), blockBytes: 2, trailer: none };
    }
    case i2s: {
      const trailer = new Uint8Array(32);
      new DataView(trailer.buffer).setFloat32(0, scale, true);
      return { pattern: Uint8Array.from({ length: 262147 }, () => fourCodes(next)), blockBytes: 32, trailer };
    }
    case tq2:
      return { pattern: blocks(66, 4099, () => fourCodes(next), scale), blockBytes: 66, trailer: none };
    case tq1:
      return {
        pattern: blocks(54, 4099, (at) => someTrits(next, at < 48 ? 1 : 3), scale),
        blockBytes: 54,
        trailer: none,
      };
  }
  throw new TernlightError('invalid-option', `synthetic: encoding ${encoding.name}, expected I2_S, TQ1_0 or TQ2_0`);
}

/** Blocks whose last two bytes are an f16 scale. */
function blocks(blockBytes: number, count: number, byte: (at: number) => number, scale: number): Uint8Array {
  const out = new Uint8Array(blockBytes * count);
  const bits = toF16Bits(scale);
  for (let block = 0; block < out.length; block += blockBytes) {
    for (let at = 0; at < blockBytes - 2; at++) out[block + at] = byte(at);
    out[block + blockBytes - 2] = bits & 255;
    out[block + blockBytes - 1] = bits >> 8;
  }
  return out;
}

/** Four two-bit codes: 0 and 2 with 40 % each, 1 with 20 %. */
function fourCodes(next: () => number): number {
  let byte = 0;
  for (let i = 0; i < 4; i++) {
    const u = next();
    byte = byte * 4 + (u < 0.4 ? 0 : u < 0.6 ? 1 : 2);
  }
  return byte;
}

/** Five trits as TQ1_0 writes them, or four where `step` is 3: then the last is 0. */
function someTrits(next: () => number, step: 1 | 3): number {
  const value = Math.floor(next() * (243 / step)) * step;
  return Math.ceil((value * 256) / 243);
}
