// What the ternary row kernels share: sums of activations, the flush of integer sums into f32, the last step.
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

/** acc += f32((dot >> shift) - sum) * scale, four rows. */
@inline export function flush(acc: usize, offset: usize, dot: v128, shift: i32, sum: v128, scales: usize): void {
  const d = f32x4.convert_i32x4_s(i32x4.sub(i32x4.shr_s(dot, shift), sum));
  v128.store(acc + offset, f32x4.add(v128.load(acc + offset), f32x4.mul(d, v128.load(scales + offset))));
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
