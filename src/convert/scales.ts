// Scales of any granularity as the scales of the encoding that is written: one per 256 elements in f16, or one for the
// tensor in f32. Weights stay what they are; where that cannot be, it is an error.

import { TernlightError } from '../errors.ts';
import { f16Table, toF16Bits } from '../formats/f16.ts';
import type { LowBitGroup } from './low-bit.ts';

/** Below it a half has fewer than 11 bits. */
const smallestNormalF16 = 2 ** -14;

const keepTheFile = 'no encoding that other engines read holds it: keep the file as it is';

/** The worst relative rounding of the scales that have passed. */
export class Rounding {
  worst: { tensor: string; relative: number } | undefined;
  #last = Number.NaN;

  /** Throws where f16 holds the scale neither exactly nor with all its bits. */
  check(tensor: string, scale: number): void {
    if (scale === this.#last) return; // most tensors have one
    const half = f16Table()[toF16Bits(scale)]!;
    if (half !== scale) {
      const size = Math.abs(scale);
      if (!Number.isFinite(half) || size < smallestNormalF16) {
        throw new TernlightError(
          'unsupported',
          `convert: ${tensor} has the scale ${scale}, expected one that f16 holds, from ${smallestNormalF16} to 65504; use --ternary I2_S`,
        );
      }
      const relative = Math.abs(half - scale) / size;
      if (relative > (this.worst?.relative ?? 0)) this.worst = { tensor, relative };
    }
    this.#last = scale;
  }
}

/** Scales [elems / 256]; may set codes to 1 where the scale is 0. Throws where 256 weights need two scales. */
export function scalesPer256(tensor: string, group: LowBitGroup, rounding: Rounding): Float32Array {
  const { codes, scales, scaleElems } = group;
  const out = new Float32Array(codes.length / 256);
  for (let block = 0; block < out.length; block++) {
    const from = block * 256;
    let scale = scales[Math.floor(from / scaleElems)]!;
    if (scaleElems % 256 !== 0) {
      const shared = new SharedScale();
      for (let at = from; at < from + 256; ) {
        const end = Math.min(from + 256, (Math.floor(at / scaleElems) + 1) * scaleElems);
        if (!shared.add(codes.subarray(at, end), scales[Math.floor(at / scaleElems)]!))
          throw twoScales(
            tensor,
            shared.value,
            scales[Math.floor(at / scaleElems)]!,
            '256 weights in a row',
            keepTheFile,
          );
        at = end;
      }
      scale = shared.value;
    }
    rounding.check(tensor, scale);
    out[block] = scale;
  }
  return out;
}

/** The scale of a tensor, group by group. */
export class TensorScale {
  readonly #tensor: string;
  readonly #cols: number;
  readonly #shared = new SharedScale();

  constructor(tensor: string, cols: number) {
    this.#tensor = tensor;
    this.#cols = cols;
  }

  get value(): number {
    return this.#shared.value;
  }

  /** May set codes to 1 where the scale is 0. Throws where the tensor needs two scales. */
  add({ codes, scales, scaleElems }: LowBitGroup): void {
    for (const [i, scale] of scales.entries()) {
      if (!this.#shared.add(codes.subarray(i * scaleElems, (i + 1) * scaleElems), scale))
        throw twoScales(
          this.#tensor,
          this.value,
          scale,
          'the whole tensor for I2_S',
          this.#cols % 256 === 0 ? 'use --ternary TQ2_0' : keepTheFile,
        );
    }
  }
}

/** One scale for runs that may have had several: runs of zeros have none that matters. */
class SharedScale {
  value = 0;
  /** Whether a weight other than 0 has met `value`. */
  #needed = false;

  /** False where the run needs another scale than those before. */
  add(codes: Uint8Array, scale: number): boolean {
    if (scale === this.value && (this.#needed || scale === 0)) {
      if (scale === 0) codes.fill(1); // 0 times anything
      return true;
    }
    if (scale === 0) {
      codes.fill(1);
      return true;
    }
    if (codes.every((code) => code === 1)) {
      if (this.value === 0) this.value = scale;
      return true;
    }
    if (this.#needed) return false;
    this.value = scale;
    this.#needed = true;
    return true;
  }
}

function twoScales(tensor: string, first: number, second: number, what: string, cure: string): TernlightError {
  return new TernlightError(
    'unsupported',
    `convert: ${tensor} has the scales ${first} and ${second}, expected one for ${what}; ${cure}`,
  );
}
