// Keys and values of new tokens go into the cache: [layer][key | value][kvHead][capacity][headDim].
import { KV_ADDRESS, POSITION } from '../layout';
import { storeF16x4 } from '../simd';

/**
 * cache[head][position + t] = x[t][head]        tokens [begin, end)
 *   x [T, xStride] f32, heads of headDim (a multiple of 4)     offset: bytes from the session's KV address
 *   capacity: positions per head
 */
export function cacheWriteF32(
  x: usize, control: usize, offset: usize, heads: i32, headDim: i32, capacity: i32, xStride: i32, begin: i32, end: i32,
): void {
  const base = load<usize>(control + KV_ADDRESS) + offset, rowBytes = <usize>headDim << 2;
  const position = load<i32>(control + POSITION);
  for (let t = begin; t < end; t++)
    for (let h = 0; h < heads; h++)
      memory.copy(
        base + <usize>(h * capacity + position + t) * rowBytes,
        x + ((<usize>t * xStride + <usize>h * headDim) << 2),
        rowBytes,
      );
}

/** As cacheWriteF32, rounded to f16 (to nearest even). */
export function cacheWriteF16(
  x: usize, control: usize, offset: usize, heads: i32, headDim: i32, capacity: i32, xStride: i32, begin: i32, end: i32,
): void {
  const base = load<usize>(control + KV_ADDRESS) + offset;
  const position = load<i32>(control + POSITION);
  for (let t = begin; t < end; t++)
    for (let h = 0; h < heads; h++) {
      let d = base + ((<usize>(h * capacity + position + t) * headDim) << 1);
      let p = x + ((<usize>t * xStride + <usize>h * headDim) << 2);
      for (const e = p + (<usize>headDim << 2); p < e; p += 16, d += 8) storeF16x4(d, v128.load(p));
    }
}
