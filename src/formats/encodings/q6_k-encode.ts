// Numbers into Q6_K. Each run of 16 gets the scale that makes the smallest error, weighted by the squares of the
// numbers, as llama.cpp's reference quantiser does; then these scales are rounded to eight bits of the block's, and
// the numbers to what the rounded scales make of them.

import { f16Table } from '../f16.ts';
import { unwritableScale } from './damaged.ts';
import { writeScale } from './halves.ts';

const blockBytes = 210;
const highAt = 128;
const scalesAt = 192;
const scaleAt = 208;
/** Runs and blocks below this are zeros. */
const tiny = 1e-15;

export function encodeQ6K(numbers: Float32Array, elems: number, bytes: Uint8Array): void {
  const target = new DataView(bytes.buffer, bytes.byteOffset, (elems / 256) * blockBytes);
  const scales = new Float32Array(16);
  const q = new Uint8Array(256);
  for (let o = 0, to = 0; o < elems; o += 256, to += blockBytes) {
    let peak = 0; // of the scales, with its sign
    let zero = 0;
    for (let run = 0; run < 16; run++) {
      const scale = bestScale(numbers, o + run * 16);
      scales[run] = scale;
      if (Math.abs(scale) > Math.abs(peak)) peak = scale;
      zero += scale * 0;
    }
    if (zero !== 0) throw unwritableScale('Q6_K');
    if (Math.abs(peak) < tiny) {
      bytes.fill(0, to, to + blockBytes);
      continue;
    }
    // The largest scale becomes -128: the range has one step more on that side.
    const d = f16Table()[writeScale('Q6_K', target, to + scaleAt, -peak / 128)]!;
    for (let run = 0; run < 16; run++) {
      const six = Math.min(127, nearest((-128 / peak) * scales[run]!));
      target.setInt8(to + scalesAt + run, six);
      const inverse = d * six === 0 ? 0 : 1 / (d * six);
      for (let i = run * 16; i < run * 16 + 16; i++) q[i] = sixBits(inverse * numbers[o + i]!) + 32;
    }
    packBlock(q, bytes, to);
  }
}

/** The scale s of 16 numbers x for which the sum of x^2 (x - s * q)^2 is the least of those tried; NaN if one is. */
function bestScale(numbers: Float32Array, at: number): number {
  let peak = 0;
  let zero = 0;
  for (let i = at; i < at + 16; i++) {
    const x = numbers[i]!;
    if (Math.abs(x) > Math.abs(peak)) peak = x;
    zero += x * 0;
  }
  if (zero !== 0) return zero;
  if (Math.abs(peak) < tiny) return 0;
  let best = 0;
  let scale = 0;
  for (let step = -9; step <= 9; step++) {
    // The peak becomes about -32, and a little more or less: what is lost there may be won elsewhere.
    const inverse = -(32 + 0.1 * step) / peak;
    let xq = 0;
    let qq = 0;
    for (let i = at; i < at + 16; i++) {
      const x = numbers[i]!;
      const q = sixBits(inverse * x);
      xq += x * x * x * q;
      qq += x * x * q * q;
    }
    // With the best s for these q, xq / qq, the error is smaller by this than that of zeros.
    const gain = (xq * xq) / qq;
    if (gain > best) {
      best = gain;
      scale = xq / qq;
    }
  }
  return scale;
}

function sixBits(value: number): number {
  const q = nearest(value);
  return q < -32 ? -32 : q > 31 ? 31 : q;
}

/** Halves to even: beyond 2^52 a number has no fraction left. */
function nearest(value: number): number {
  return value + 6755399441055744 - 6755399441055744;
}

/** Low four bits and high two bits, in the order that q6_k.ts reads. */
function packBlock(q: Uint8Array, bytes: Uint8Array, to: number): void {
  for (let half = 0; half < 2; half++) {
    const low = to + half * 64;
    const high = to + highAt + half * 32;
    for (let i = 0; i < 32; i++) {
      const from = half * 128 + i;
      const [a, b, c, d] = [q[from]!, q[from + 32]!, q[from + 64]!, q[from + 96]!];
      bytes[low + i] = (a & 15) | ((c & 15) << 4);
      bytes[low + 32 + i] = (b & 15) | ((d & 15) << 4);
      bytes[high + i] = (a >> 4) | ((b >> 4) << 2) | ((c >> 4) << 4) | ((d >> 4) << 6);
    }
  }
}
