// The head in two steps, the second: which rows may be among the greatest k, and their exact values from the low nibbles.
import { HEAD_SPAN, ROW_SUMS_BYTES } from '../layout';
import { sumI32 } from '../simd';
import { dot, dotNibbles, FACTS_BYTES, factsOf, LOW_BYTE, LOW_NIBBLE, LOW_NIBBLES, nibbleFactors } from './head';

/** A row this part of its reach above its estimate is a sign that low nibbles are not as good as random. */
const DOUBT: f32 = 0.75;

@inline function rowAt(low: usize, list: usize, i: usize, cols: i32): usize {
  return low + <usize>load<i32>(list + (i << 2)) * (<usize>cols >> 1);
}

/** The columns that stand in the low nibbles of 16 bytes, and those in the high ones. */
@inline function lowColumns(u: v128, v: v128): v128 {
  return i8x16.shuffle(u, v, 0, 1, 2, 3, 8, 9, 10, 11, 16, 17, 18, 19, 24, 25, 26, 27);
}
@inline function highColumns(u: v128, v: v128): v128 {
  return i8x16.shuffle(u, v, 4, 5, 6, 7, 12, 13, 14, 15, 20, 21, 22, 23, 28, 29, 30, 31);
}

/** Added apart: one accumulator for all dots would make them wait for each other. */
@inline function step(x: v128, m: v128, a: v128, b: v128, sum: v128): v128 {
  return i32x4.add(sum, dot(v128.and(i16x8.shr_u(x, 4), m), b, dot(v128.and(x, m), a, i32x4.splat(0))));
}

/** dots [4] i32 = sum_k l[r,k] * q[k] of the four rows in `list`, wherever they are: their misses overlap. */
function fourDot(low: usize, list: usize, q: usize, cols: i32, dots: usize): void {
  const m = v128.load(LOW_NIBBLES);
  let r0 = rowAt(low, list, 0, cols), r1 = rowAt(low, list, 1, cols);
  let r2 = rowAt(low, list, 2, cols), r3 = rowAt(low, list, 3, cols);
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (const e = q + cols; q < e; q += 32, r0 += 16, r1 += 16, r2 += 16, r3 += 16) {
    const u = v128.load(q), v = v128.load(q, 16), a = lowColumns(u, v), b = highColumns(u, v);
    s0 = step(v128.load(r0), m, a, b, s0);
    s1 = step(v128.load(r1), m, a, b, s1);
    s2 = step(v128.load(r2), m, a, b, s2);
    s3 = step(v128.load(r3), m, a, b, s3);
  }
  store<i32>(dots, sumI32(s0));
  store<i32>(dots, sumI32(s1), 4);
  store<i32>(dots, sumI32(s2), 8);
  store<i32>(dots, sumI32(s3), 12);
}

/** As fourDot for rows that follow one another: one linear stream, which hardware prefetches (four at once halve it). */
function nextDot(row: usize, q: usize, cols: i32, dots: usize): void {
  const m = v128.load(LOW_NIBBLES);
  for (const e = dots + 16; dots < e; dots += 4) {
    let s = i32x4.splat(0);
    for (let p = q, f = q + cols; p < f; p += 32, row += 16) {
      const u = v128.load(p), v = v128.load(p, 16);
      s = step(v128.load(row), m, lowColumns(u, v), highColumns(u, v), s);
    }
    store<i32>(dots, sumI32(s));
  }
}

/** q [cols] i8 -> factors [cols / 32, 4, 8] i16: nibbleFactors of 32 columns, one kind after another. */
function rowFactors(q: usize, factors: usize, cols: i32): void {
  nibbleFactors(q, factors, cols);
  for (const e = factors + (<usize>cols << 1); factors < e; factors += 64) {
    const a = v128.load(factors), b = v128.load(factors, 16), c = v128.load(factors, 32), d = v128.load(factors, 48);
    const ab = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const cd = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
    const ef = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    const gh = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
    v128.store(factors, i8x16.shuffle(ab, cd, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23));
    v128.store(factors, i8x16.shuffle(ab, cd, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 16);
    v128.store(factors, i8x16.shuffle(ef, gh, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), 32);
    v128.store(factors, i8x16.shuffle(ef, gh, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), 48);
  }
}

/** As fourDot in baseline SIMD, from rowFactors. */
function fourWide(low: usize, list: usize, factors: usize, cols: i32, dots: usize): void {
  const byte = v128.load(LOW_BYTE), nibble = v128.load(LOW_NIBBLE);
  let r0 = rowAt(low, list, 0, cols), r1 = rowAt(low, list, 1, cols);
  let r2 = rowAt(low, list, 2, cols), r3 = rowAt(low, list, 3, cols);
  let s0 = i32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  for (const e = factors + (<usize>cols << 1); factors < e; factors += 64, r0 += 16, r1 += 16, r2 += 16, r3 += 16) {
    const a = v128.load(factors), b = v128.load(factors, 16), c = v128.load(factors, 32), d = v128.load(factors, 48);
    s0 = i32x4.add(s0, dotNibbles(v128.load(r0), byte, nibble, a, b, c, d));
    s1 = i32x4.add(s1, dotNibbles(v128.load(r1), byte, nibble, a, b, c, d));
    s2 = i32x4.add(s2, dotNibbles(v128.load(r2), byte, nibble, a, b, c, d));
    s3 = i32x4.add(s3, dotNibbles(v128.load(r3), byte, nibble, a, b, c, d));
  }
  store<i32>(dots, sumI32(s0) >> 4);
  store<i32>(dots, sumI32(s1) >> 4, 4);
  store<i32>(dots, sumI32(s2) >> 4, 8);
  store<i32>(dots, sumI32(s3) >> 4, 12);
}

/** As nextDot in baseline SIMD. */
function nextWide(row: usize, factors: usize, cols: i32, dots: usize): void {
  const byte = v128.load(LOW_BYTE), nibble = v128.load(LOW_NIBBLE);
  for (const e = dots + 16; dots < e; dots += 4) {
    let s = i32x4.splat(0);
    for (let p = factors, f = factors + (<usize>cols << 1); p < f; p += 64, row += 16) {
      const x = v128.load(row);
      s = i32x4.add(s, dotNibbles(x, byte, nibble, v128.load(p), v128.load(p, 16), v128.load(p, 32), v128.load(p, 48)));
    }
    store<i32>(dots, sumI32(s) >> 4);
  }
}

/** The int8 head's value: u = 16 h + l = 128 + q. */
@inline function exactly(high: i32, low: i32, scale: f32, facts: usize): f32 {
  return (<f32>((high << 4) + low - (load<i32>(facts) << 7)) * scale) / load<f32>(facts, 4);
}

/** f32 -> i32 in the same order. */
@inline function key(v: f32): i32 {
  const bits = reinterpret<i32>(v);
  return bits ^ ((bits >> 31) & 0x7fffffff);
}

@inline function unkey(k: i32): f32 {
  return reinterpret<f32>(k ^ ((k >> 31) & 0x7fffffff));
}

/** The k-th greatest of n keys, by bisection: 32 times, how many reach the middle? Adds keys to fill a vector. */
function kthGreatest(keys: usize, n: i32, k: i32): i32 {
  for (let i = n; i & 3; i++) store<i32>(keys + (<usize>i << 2), i32.MIN_VALUE);
  let low = i32.MIN_VALUE, high = i32.MAX_VALUE;
  while (low < high) {
    const middle = <i32>((<i64>low + <i64>high + 1) >> 1), m = i32x4.splat(middle);
    let count = i32x4.splat(0);
    for (let p = keys, e = keys + (<usize>n << 2); p < e; p += 16) count = i32x4.sub(count, i32x4.ge_s(v128.load(p), m));
    if (sumI32(count) >= k) low = middle;
    else high = middle - 1;
  }
  return low;
}

/** Lists the blocks' best rows from the key `least` on, `most` of them; the last block has the key of its best row. */
function bestRows(keys: usize, least: i32, most: i32, y: usize, list: usize): void {
  for (let b = 0; most > 0; b++) {
    const best = load<i32>(keys + (<usize>b << 2));
    if (best < least) continue;
    let r = b << 5;
    // Not beyond the block, whatever a NaN's bits are: the sampler reports NaNs.
    for (const end = r + 31; r < end && key(load<f32>(y + (<usize>r << 2))) != best; ) r++;
    store<i32>(list, r);
    list += 4;
    most--;
  }
}

/**
 * thresholds[t]: no row below it is among the k greatest                                            tokens [begin, end)
 * Of each of the 2 k blocks of 32 rows with the best estimates it makes the best row exact, in y too, and gives the k-th
 * greatest of these values: k rows are at least that. -Infinity, so that every row will be made exact, if k is 0, there
 * are fewer than k blocks, or one of these rows is above its estimate by more than DOUBT of its reach.
 *   low      [rows, cols] u4, row-major (head-pack.ts)     scales, q, qScale, sums, y, peaks: as matmulHead4Dot left them
 *   top      address of k, i32     rows: those that may be drawn; padding would be 0 where all logits are below
 *   scratch  ROW_SUMS_BYTES + 2 * cols + 12 * (rows / 32 + 8) bytes
 */
export function headThreshold(
  low: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, thresholds: usize,
  top: usize, rows: i32, cols: i32, yStride: i32, begin: i32, end: i32, scratch: usize,
): void {
  const k = load<i32>(top), blocks = (rows + 31) >> 5, most = min(2 * k, blocks), last = blocks - 1;
  const dots = scratch + FACTS_BYTES, factors = scratch + ROW_SUMS_BYTES;
  const keys = factors + (<usize>cols << 1), list = keys + (<usize>(blocks + 4) << 2);
  const exact = list + (<usize>(most + 4) << 2);
  for (let t = begin; t < end; t++) {
    store<f32>(thresholds + (t << 2), -Infinity);
    if (k <= 0 || most < k) continue;
    factsOf(q + <usize>t * cols, qScale + (t << 2), cols, scratch);
    rowFactors(q + <usize>t * cols, factors, cols);
    const at = <usize>t * yStride, values = y + (at << 2), peak = peaks + ((at >> 5) << 3);
    for (let b: usize = 0; b < <usize>last; b++) store<i32>(keys + (b << 2), key(load<f32>(peak + (b << 3))));
    // The last block may have rows that do not count.
    let best: f32 = -Infinity;
    for (let r = last << 5; r < rows; r++) best = max<f32>(best, load<f32>(values + (<usize>r << 2)));
    store<i32>(keys + (<usize>last << 2), key(best));
    bestRows(keys, kthGreatest(keys, blocks, most), most, values, list);
    for (let i = most; i & 3; i++) store<i32>(list + (<usize>i << 2), load<i32>(list));
    let doubt = false;
    for (let i = 0; i < most; i++) {
      if ((i & 3) == 0) fourWide(low, list + (<usize>i << 2), factors, cols, dots);
      const r = <usize>load<i32>(list + (<usize>i << 2)) << 2;
      const scale = load<f32>(scales + r), estimate = load<f32>(values + r);
      const v = exactly(load<i32>(sums + (at << 2) + r), load<i32>(dots + ((i & 3) << 2)), scale, scratch);
      if (v - estimate > DOUBT * (scale * load<f32>(scratch, 8))) doubt = true;
      store<f32>(values + r, v);
      store<i32>(exact + (<usize>i << 2), key(v));
    }
    if (!doubt) store<f32>(thresholds + (t << 2), unkey(kthGreatest(exact, most, k)));
  }
}

/**
 * Lists the rows [begin, end) that may reach the threshold, ascending, and the first again until there is a multiple of
 * four: four rows are neighbours exactly if the last is 3 above the first.
 */
function candidates(
  y: usize, scales: usize, peaks: usize, reach: v128, threshold: f32, begin: i32, end: i32, list: usize,
): usize {
  const least = f32x4.splat(threshold);
  let to = list;
  for (let block = begin; block < end; block += 32) {
    if (load<f32>(peaks + (<usize>(block >> 5) << 3), 4) < threshold) continue;
    for (let r = block; r < block + 32; r += 4) {
      const bound = f32x4.add(v128.load(y + (<usize>r << 2)), f32x4.mul(v128.load(scales + (<usize>r << 2)), reach));
      for (let some = i32x4.bitmask(f32x4.ge(bound, least)); some; some &= some - 1, to += 4)
        store<i32>(to, r + ctz(some));
    }
  }
  for (; (to - list) & 15; to += 4) store<i32>(to, load<i32>(list));
  return to;
}

@inline function refine(
  wide: bool, low: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, thresholds: usize,
  cols: i32, yStride: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tokens), last = load<i32>(tokens, 4);
  const dots = scratch + ROW_SUMS_BYTES, list = dots + 16, factors = list + 4 * HEAD_SPAN;
  for (let t = first; t < last; t++) {
    factsOf(q + <usize>t * cols, qScale + (t << 2), cols, scratch + <usize>(t - first) * FACTS_BYTES);
    if (wide) rowFactors(q + <usize>t * cols, factors + ((<usize>(t - first) * cols) << 1), cols);
  }
  for (let r = begin; r < end; r += HEAD_SPAN) {
    for (let t = first; t < last; t++) {
      const facts = scratch + <usize>(t - first) * FACTS_BYTES, at = <usize>t * yStride, values = y + (at << 2);
      const peak = peaks + ((at >> 5) << 3), threshold = load<f32>(thresholds + (t << 2));
      const x = wide ? factors + ((<usize>(t - first) * cols) << 1) : q + <usize>t * cols;
      const reach = v128.load32_splat(facts, 8), to = min(end, r + HEAD_SPAN);
      const stop = candidates(values, scales, peak, reach, threshold, r, to, list);
      for (let next = list; next < stop; next += 16) {
        if (load<i32>(next, 12) == load<i32>(next) + 3) {
          if (wide) nextWide(rowAt(low, next, 0, cols), x, cols, dots);
          else nextDot(rowAt(low, next, 0, cols), x, cols, dots);
        } else if (wide) fourWide(low, next, x, cols, dots);
        else fourDot(low, next, x, cols, dots);
        for (let i: usize = 0; i < 16; i += 4) {
          const o = <usize>load<i32>(next + i) << 2;
          const v = exactly(load<i32>(sums + (at << 2) + o), load<i32>(dots + i), load<f32>(scales + o), facts);
          store<f32>(values + o, v);
        }
      }
    }
  }
}

/**
 * y[t][r] = what matmulI8RowDot gives, bit for bit, where the estimate and its reach come to the threshold; other rows
 * keep their estimates, which are below it                                                          rows [begin, end)
 *   low      [rows, cols] u4, row-major (head-pack.ts)     thresholds [T] f32
 *   the rest as matmulHead4Dot and headThreshold left it     scratch ROW_SUMS_BYTES + 4 * HEAD_SPAN + 16 bytes
 * Bytes moved: cols / 2 for each such row.
 */
export function headRefineDot(
  low: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, thresholds: usize,
  cols: i32, yStride: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  refine(false, low, scales, q, qScale, sums, y, peaks, thresholds, cols, yStride, tokens, begin, end, scratch);
}

/** As headRefineDot in baseline SIMD: same arguments, same bits. Scratch: 2 * ROW_TOKENS * cols bytes more. */
export function headRefineWide(
  low: usize, scales: usize, q: usize, qScale: usize, sums: usize, y: usize, peaks: usize, thresholds: usize,
  cols: i32, yStride: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  refine(true, low, scales, q, qScale, sums, y, peaks, thresholds, cols, yStride, tokens, begin, end, scratch);
}
