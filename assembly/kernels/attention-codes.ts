// Rows of queries, keys and values as integer codes for the int8 and int4 caches.
import { KV_BLOCK } from '../layout';
import { maxF32 } from '../simd';

const SIGNS_1: usize = memory.data<f32>([1, -1, 1, -1]);
const SIGNS_2: usize = memory.data<f32>([1, 1, -1, -1]);

/** Values that are mixed with each other by rotate: the largest power of two that divides headDim. */
@inline export function rotationBlock(headDim: i32): i32 {
  return headDim & -headDim;
}

/** Channels of a head with the padding that the int8 and int4 caches give it: a multiple of 8. */
@inline export function paddedDim(headDim: i32): i32 {
  return (headDim + 7) & ~7;
}

/** Bytes of a block: a scale per position, then codes of 8 or 4 bits. */
@inline export function kvBlockBytes(headDim: i32, int4: bool): usize {
  return <usize>KV_BLOCK * (4 + (int4 ? paddedDim(headDim) >> 1 : paddedDim(headDim)));
}

/** Blocks of a head. */
@inline export function kvBlocks(capacity: i32): i32 {
  return (capacity + KV_BLOCK - 1) / KV_BLOCK;
}

/**
 * x[headDim] f32 in place: the Walsh-Hadamard transform of each block of rotationBlock(headDim) values, not normalised.
 * Keys and queries turned alike have the same dots (times the block), but no channel stands out: a few channels of
 * real keys are ten times the others, and one scale per row would leave the others no steps.
 * Source: QuIP# (arXiv 2402.04396), section 3; QuaRot (arXiv 2404.00456), section 4.
 */
export function rotate(x: usize, headDim: i32): void {
  const end = x + (<usize>headDim << 2), block = <usize>rotationBlock(headDim) << 2;
  const s1 = v128.load(SIGNS_1), s2 = v128.load(SIGNS_2);
  for (let p = x; p < end; p += 16) {
    let v = v128.load(p);
    v = f32x4.add(f32x4.mul(v, s1), i8x16.shuffle(v, v, 4, 5, 6, 7, 0, 1, 2, 3, 12, 13, 14, 15, 8, 9, 10, 11));
    v128.store(p, f32x4.add(f32x4.mul(v, s2), i8x16.shuffle(v, v, 8, 9, 10, 11, 12, 13, 14, 15, 0, 1, 2, 3, 4, 5, 6, 7)));
  }
  for (let half: usize = 16; half < block; half <<= 1)
    for (let p = x; p < end; p += half)
      for (const e = p + half; p < e; p += 16) {
        const a = v128.load(p), b = v128.load(p + half);
        v128.store(p, f32x4.add(a, b));
        v128.store(p + half, f32x4.sub(a, b));
      }
}

/**
 * codes[i] = round_half_even(x[i] * (most / max|x|)), i8 [paddedDim(headDim)], padded with 0. Returns the scale
 * max|x| / most: x ~ codes * scale.
 */
export function quantizeRow(x: usize, codes: usize, headDim: i32, most: f32): f32 {
  let m = f32x4.splat(0);
  const e = x + (<usize>headDim << 2);
  for (let p = x; p < e; p += 16) m = f32x4.pmax(m, f32x4.abs(v128.load(p)));
  const a = maxF32(m);
  // A row this small is zeros: its inverse would overflow.
  const v = f32x4.splat(a > 1e-30 ? most / a : 0);
  store<u32>(codes + <usize>paddedDim(headDim) - 4, 0);
  for (let p = x; p < e; p += 16, codes += 4) {
    const i = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(p), v))), h = i16x8.narrow_i32x4_s(i, i);
    v128.store32_lane(codes, i8x16.narrow_i16x8_s(h, h), 0);
  }
  return a > 1e-30 ? a / most : 0;
}
