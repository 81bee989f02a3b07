// Random but valid tensor data for synthetic models, as patterns that repeat. Periods are odd, so that the rows of a
// tensor differ.

import { TernlightError } from '../errors.ts';
import { f16 } from './encodings/f16.ts';
import { f32 } from './encodings/f32.ts';
import { i2s } from './encodings/i2s.ts';
import { q1_0 } from './encodings/q1_0.ts';
import { pq2_0, q2_0 } from './encodings/q2_0.ts';
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

/** Uniform from the first on, below the second. */
export type Range = readonly [low: number, high: number];

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

const none = new Uint8Array(0);

/** Primes, so that rows of any length begin everywhere in a pattern before they repeat. */
const periods = [4099, 16411, 65537, 163841, 262147];

/** How many of something a pattern has, so that no two of so many rows are alike: equal logits would make bad tests. */
function periodFor(rows: number): number {
  return periods.find((period) => period >= rows) ?? 262147;
}

/** Numbers of a range, in F32 or F16. */
export function numbersFill(encoding: Encoding, rows: number, [low, high]: Range, seed: number): Fill {
  const next = random(seed);
  const number = () => low + (high - low) * next();
  const length = periodFor(rows);
  switch (encoding) {
    case f32:
      return { pattern: bytesOf(Float32Array.from({ length }, number)), blockBytes: 4, trailer: none };
    case f16:
      return {
        pattern: bytesOf(Uint16Array.from({ length }, () => toF16Bits(number()))),
        blockBytes: 2,
        trailer: none,
      };
  }
  throw new TernlightError('internal', `synthetic: numbers in ${encoding.name}, expected F32 or F16`);
}

/** Ternary or 1-bit weights. Their scales are such that a product is about `factor` times as large as what goes in. */
export function weightsFill(encoding: Encoding, [cols, rows]: readonly number[], factor: number, seed: number): Fill {
  const next = random(seed);
  const four = () => fourCodes[Math.floor(next() * 625)]!;
  const scale = factor / Math.sqrt(0.8 * cols!); // four codes in five are not 0
  const binaryScale = factor / Math.sqrt(cols!);
  // Formats of small groups are for models whose scales differ within a row: those that do not are packed otherwise.
  const varied = (middle: number) => () => middle * (0.8 + 0.4 * next());
  const count = periodFor(rows!);
  switch (encoding) {
    case i2s: {
      const trailer = new Uint8Array(32);
      new DataView(trailer.buffer).setFloat32(0, scale, true);
      return { pattern: Uint8Array.from({ length: 262147 }, four), blockBytes: 32, trailer };
    }
    case tq2:
      return blocks({ count, blockBytes: 66, scaleAt: 64 }, () => scale, four);
    case tq1: {
      const trits = (at: number) => someTrits(next, at < 48 ? 1 : 3);
      return blocks({ count, blockBytes: 54, scaleAt: 52 }, () => scale, trits);
    }
    case q2_0:
    case pq2_0:
      return blocks({ count, blockBytes: encoding.blockBytes, scaleAt: 0 }, varied(scale), four);
    case q1_0: {
      const bits = () => Math.floor(next() * 256);
      return blocks({ count, blockBytes: encoding.blockBytes, scaleAt: 0 }, varied(binaryScale), bits);
    }
  }
  throw new TernlightError('internal', `synthetic: weights in ${encoding.name}`);
}

interface Blocks {
  readonly count: number;
  readonly blockBytes: number;
  /** Where in a block its f16 scale is; the rest is codes. */
  readonly scaleAt: number;
}

function blocks({ count, blockBytes, scaleAt }: Blocks, scale: () => number, byte: (at: number) => number): Fill {
  const pattern = new Uint8Array(blockBytes * count);
  for (let block = 0; block < pattern.length; block += blockBytes) {
    for (let at = 0; at < blockBytes; at++) {
      if (at < scaleAt || at >= scaleAt + 2) pattern[block + at] = byte(at);
    }
    const bits = toF16Bits(scale());
    pattern[block + scaleAt] = bits & 255;
    pattern[block + scaleAt + 1] = bits >> 8;
  }
  return { pattern, blockBytes, trailer: none };
}

/** Little-endian, as every host of WebAssembly is. */
function bytesOf({ buffer }: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>): Uint8Array {
  return new Uint8Array(buffer);
}

/** All ways of four two-bit codes in a byte, of which 40 % are 0, 20 % 1 and 40 % 2. */
const fourCodes = Uint8Array.from({ length: 625 }, (_, way) =>
  [0, 1, 2, 3].reduce((byte, i) => byte * 4 + [0, 0, 1, 2, 2][Math.floor(way / 5 ** i) % 5]!, 0),
);

/** Five trits as TQ1_0 writes them, or four where `step` is 3: then the last is 0. */
function someTrits(next: () => number, step: 1 | 3): number {
  const value = Math.floor(next() * (243 / step)) * step;
  return Math.ceil((value * 256) / 243);
}
