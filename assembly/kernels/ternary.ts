// What the ternary row kernels share: sums and order of activations, the flush of integer sums into f32, the last step.
import { sumI32 } from '../simd';

export const MASK_0: usize = memory.data<u8>([3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3, 3]);
export const MASK_1: usize = memory.data<u8>([12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12, 12]);

/** sums[b] = sum of q over block b, i32; codes are stored as w + 1, so each dot is too large by this. */
@inline export function blockSums(q: usize, cols: i32, blockCols: i32, sums: usize): void {
  for (const e = q + cols; q < e; sums += 4) {
    let s = i32x4.splat(0);
    for (const b = q + blockCols; q < b; q += 16)
      s = i32x4.add(s, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v128.load(q))));
    store<i32>(sums, sumI32(s));
  }
}

/** q [cols] i8 -> i16 with the columns of each quad in the order 0, 2, 1, 3; quads `step` bytes apart. */
@inline export function widenQuads(q: usize, wide: usize, cols: i32, step: usize = 8): void {
  for (const e = q + cols; q < e; q += 8, wide += step << 1) {
    let v = v128.load_ext<i8>(q);
    v = i8x16.shuffle(v, v, 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15);
    v128.store_lane<u64>(wide, v, 0);
    v128.store_lane<u64>(wide + step, v, 1);
  }
}

/** acc += f32((dot >> shift) - sum) * scale, four rows. */
@inline export function flush(acc: usize, offset: usize, dot: v128, shift: i32, sum: v128, scales: usize): void {
  const d = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_s(dot, shift), sum));
  v128.store(acc + offset, f32x4.add(v128.load(acc + offset), f32x4.mul(d, v128.load(scales + offset))));
}

/** As flush, for the 32 rows of dots that were kept in memory; odd fields are 4 times what they are. */
@inline export function flushFields(acc: usize, dots: usize, sum: v128, scales: usize): void {
  for (let o: usize = 0; o < 128; o += 64) {
    flush(acc, o, v128.load(dots + o), 0, sum, scales);
    flush(acc, o + 16, v128.load(dots + o, 16), 0, sum, scales);
    flush(acc, o + 32, v128.load(dots + o, 32), 2, sum, scales);
    flush(acc, o + 48, v128.load(dots + o, 48), 2, sum, scales);
  }
}

/** y[0 .. 32) = acc / s, or y + acc / s. */
@inline export function finish(acc: usize, y: usize, s: f32, add: i32): void {
  const v = f32x4.splat(s);
  for (const e = acc + 128; acc < e; acc += 16, y += 16) {
    let r = f32x4.div(v128.load(acc), v);
    if (add) r = f32x4.add(v128.load(y), r);
    v128.store(y, r);
  }
}
