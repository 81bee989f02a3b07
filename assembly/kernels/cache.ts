// Keys and values of new tokens go into the cache: [layer][key | value][kvHead], then [capacity][headDim] of f32 or f16,
// or blocks of positions as integer codes.
import { KV_ADDRESS, KV_BLOCK, POSITION } from '../layout';
import { storeF16x4 } from '../simd';
import { kvBlockBytes, kvBlocks, paddedDim, quantizeRow, rotate } from './attention-codes';

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

/** Four bytes, four apart. */
@inline function storeApart(d: usize, word: u32): void {
  store<u8>(d, word);
  store<u8>(d, word >> 8, 4);
  store<u8>(d, word >> 16, 8);
  store<u8>(d, word >> 24, 12);
}

/** Codes c[8] of a position go to d; returns where those of the next eight channels go. */
@inline function storeCodes(c: usize, d: usize, values: i32, int4: bool): usize {
  const low = load<u32>(c), high = load<u32>(c, 4);
  if (int4) {
    const word = ((low & 0x0f0f0f0f) | ((high & 0x0f0f0f0f) << 4)) ^ 0x88888888;
    if (!values) {
      store<u32>(d, word);
      return d + 32;
    }
    storeApart(d, word);
    return d + 4 * KV_BLOCK;
  }
  if (!values) {
    store<u32>(d, low ^ 0x80808080);
    store<u32>(d, high ^ 0x80808080, 32);
    return d + 64;
  }
  storeApart(d, low);
  storeApart(d + 16, high);
  return d + 8 * KV_BLOCK;
}

@inline function writeCodes(
  x: usize, control: usize, offset: usize, heads: i32, headDim: i32, capacity: i32, xStride: i32, values: i32,
  begin: i32, end: i32, scratch: usize, int4: bool,
): void {
  const dim = paddedDim(headDim), blockBytes = kvBlockBytes(headDim, int4), blocks = kvBlocks(capacity);
  const base = load<usize>(control + KV_ADDRESS) + offset, codes = scratch + (<usize>headDim << 2);
  const position = load<i32>(control + POSITION);
  for (let t = begin; t < end; t++)
    for (let h = 0; h < heads; h++) {
      memory.copy(scratch, x + ((<usize>t * xStride + <usize>h * headDim) << 2), <usize>headDim << 2);
      rotate(scratch, headDim);
      const s = quantizeRow(scratch, codes, headDim, int4 ? 7 : 127), p = position + t, at: usize = p & (KV_BLOCK - 1);
      const block = base + <usize>(h * blocks + p / KV_BLOCK) * blockBytes, tile = <usize>dim << (int4 ? 2 : 3);
      store<f32>(block + (at << 2), s);
      let d = block + 4 * KV_BLOCK;
      d += values ? ((at >> 2) << (int4 ? 4 : 5)) + (at & 3) : (at >> 3) * tile + ((at & 7) << 2);
      for (let c = codes, e = codes + dim; c < e; c += 8) d = storeCodes(c, d, values, int4);
    }
}

/**
 * cache[head][position + t] = int8 codes of x[t][head], turned (rotate), and their scale.        tokens [begin, end)
 *   x, offset, heads, headDim, capacity, xStride: as cacheWriteF32     values: 1 for values, 0 for keys
 *   cache [heads][capacity / KV_BLOCK rounded up] blocks of KV_BLOCK positions: their scales f32, then codes, dim =
 *   headDim rounded up to 8, in the order in which the dots read them:
 *     keys    [8][dim / 4][8 positions][4 channels] u8, 128 + code
 *     values  [dim / 8][16][8 channels][4 positions] i8: a position's bytes are four apart
 *   scratch: 4 * headDim + dim bytes
 */
export function cacheWriteI8(
  x: usize, control: usize, offset: usize, heads: i32, headDim: i32, capacity: i32, xStride: i32, values: i32,
  begin: i32, end: i32, scratch: usize,
): void {
  writeCodes(x, control, offset, heads, headDim, capacity, xStride, values, begin, end, scratch, false);
}

/**
 * As cacheWriteI8 in half bytes, 8 + code: channels 0 to 3 of eight in the low half, 4 to 7 in the high half.
 *     keys    [8][dim / 8][8 positions][4]     values  [dim / 8][16][4][4 positions]
 * A byte holds one position only: tokens are written by different threads.
 */
export function cacheWriteI4(
  x: usize, control: usize, offset: usize, heads: i32, headDim: i32, capacity: i32, xStride: i32, values: i32,
  begin: i32, end: i32, scratch: usize,
): void {
  writeCodes(x, control, offset, heads, headDim, capacity, xStride, values, begin, end, scratch, true);
}
