// Causal attention of new tokens over an int8 or int4 cache, in whole numbers but for the softmax. Rows (heads of tokens)
// that read the same kv head go together over the cache, block by block; a row's bits depend on its own query and on
// blocks at absolute positions only: on no chunk, no neighbour, no thread.
import { ATTENTION_ROWS, KV_ADDRESS, KV_BLOCK, POSITION } from '../layout';
import { sumF32, sumI32 } from '../simd';
import { relaxedDotProbe } from '../variant';
import { kvBlockBytes, kvBlocks, paddedDim, quantizeRow, rotate, rotationBlock } from './attention-codes';
import { mixI4Dot, mixI4Wide, scoresI4Dot, scoresI4Wide } from './attention-i4';
import { mixI8Signed, mixI8Unsigned, scoresI8Dot } from './attention-i8';
import { mixI8Wide, scoresI8Wide, widenCodes, widenQueries } from './attention-i8-wide';
import { encode, KEY_BIAS, LARGEST, LEFT, raise, ROW_BYTES, ROW_SCALE, SUMS, weigh } from './attention-softmax';
import { touch, TOUCH_POSITIONS, TOUCH_ROWS } from './touch';

/** How the dots are done. The first three are what relaxedDotProbe answers: it is 0 where the dots are emulated. */
const I8_WIDE: i32 = 0;
const I8_UNSIGNED: i32 = 1;
const I8_SIGNED: i32 = 2;
const I4_WIDE: i32 = 3;
const I4_DOT: i32 = 4;

const LOG2_E: f32 = 1.44269504;
/** Lower than any score. */
const NOTHING: f32 = -3e38;

/** A query becomes codes [dim / 4][its pair][4] i8; the row's record begins. */
function beginRow(
  x: usize, record: usize, codes: usize, headDim: i32, scale: f32, left: i32, form: i32, scratch: usize,
): void {
  const dim = paddedDim(headDim), i8s = scratch + (<usize>headDim << 2);
  memory.copy(scratch, x, <usize>headDim << 2);
  rotate(scratch, headDim);
  const s = quantizeRow(scratch, i8s, headDim, 127);
  let sums = i32x4.splat(0);
  for (let p = i8s, e = i8s + dim; p < e; p += 8, codes += 16) {
    const v = v128.load64_zero(p);
    v128.store32_lane(codes, v, 0);
    v128.store32_lane(codes, v, 1, 8);
    sums = i32x4.add(sums, i32x4.extadd_pairwise_i16x8_s(i16x8.extadd_pairwise_i8x16_s(v)));
  }
  // What the cache's codes are too large by.
  const offset = form == I8_SIGNED ? 0 : form < I4_WIDE ? 128 : 8;
  store<f32>(record, s * (scale * (LOG2_E / <f32>rotationBlock(headDim))), ROW_SCALE);
  store<i32>(record, -offset * sumI32(sums), KEY_BIAS);
  store<f32>(record, NOTHING, LARGEST);
  store<i32>(record, left, LEFT);
  v128.store(record, i32x4.splat(0), SUMS);
}

/** out = acc turned back, over the sum of the weights. */
function endRow(out: usize, acc: usize, record: usize, headDim: i32): void {
  rotate(acc, headDim);
  const by = f32x4.splat(sumF32(v128.load(record, SUMS)) * <f32>rotationBlock(headDim));
  // 0 added: the sign of a zero may depend on the row's neighbours.
  for (const e = out + (<usize>headDim << 2); out < e; out += 16, acc += 16)
    v128.store(out, f32x4.add(f32x4.div(v128.load(acc), by), f32x4.splat(0)));
}

/** Rows of `heads` heads from `head` on, of `rows / heads` tokens from t on; keys and values are those of their kv head. */
function attendRows(
  q: usize, out: usize, keys: usize, values: usize, headDim: i32, qStride: i32, outStride: i32, scale: f32, position: i32,
  t: i32, head: i32, heads: i32, rows: i32, form: i32, scratch: usize,
): void {
  const dim = paddedDim(headDim), blockBytes = kvBlockBytes(headDim, form >= I4_WIDE), rowBytes = <usize>dim << 2;
  const scores = scratch + ATTENTION_ROWS * ROW_BYTES, codes = scores + ATTENTION_ROWS * 4 * KV_BLOCK;
  const wideCodes = codes + ATTENTION_ROWS * KV_BLOCK, qs = wideCodes + ATTENTION_ROWS * 2 * KV_BLOCK;
  const wideQs = qs + ATTENTION_ROWS * dim, accs = wideQs + ATTENTION_ROWS * 2 * dim;
  const spare = accs + ATTENTION_ROWS * rowBytes;
  const pairs = (rows + 1) >> 1, end = scratch + <usize>rows * ROW_BYTES, wide = form == I8_WIDE || form == I4_WIDE;
  for (let r = 0, record = scratch; record < end; r++, record += ROW_BYTES) {
    const token = t + r / heads, x = q + ((<usize>token * qStride + <usize>(head + r % heads) * headDim) << 2);
    const code = qs + (<usize>(r >> 1) * dim << 1) + (<usize>(r & 1) << 2);
    beginRow(x, record, code, headDim, scale, position + token + 1, form, spare);
  }
  if (wide) widenQueries(qs, wideQs, (<usize>pairs * dim) << 1);
  memory.fill(accs, 0, <usize>rows * rowBytes);
  const flip = form == I8_SIGNED ? 128 : 0, steps: f32 = form >= I4_WIDE ? 127 : 255;
  let left = position + t + (rows - 1) / heads + 1;
  for (let j = 0; left > 0; j += KV_BLOCK, left -= KV_BLOCK, keys += blockBytes, values += blockBytes) {
    if (rows <= TOUCH_ROWS && j < TOUCH_POSITIONS) {
      touch(keys, blockBytes, scores);
      touch(values, blockBytes, scores);
    }
    const count = (min(left, KV_BLOCK) + 15) & ~15, k = keys + 4 * KV_BLOCK, v = values + 4 * KV_BLOCK;
    if (form == I8_WIDE) scoresI8Wide(wideQs, k, keys, scores, scratch, pairs, count, dim);
    else if (form == I4_WIDE) scoresI4Wide(wideQs, k, keys, scores, scratch, pairs, count, dim);
    else if (ASC_FEATURE_RELAXED_SIMD && form == I4_DOT) scoresI4Dot(qs, k, keys, scores, scratch, pairs, count, dim);
    else if (ASC_FEATURE_RELAXED_SIMD) scoresI8Dot(qs, k, keys, scores, scratch, pairs, count, dim, flip);
    let s = scores, a = accs;
    for (let row = scratch; row < end; row += ROW_BYTES, s += 4 * KV_BLOCK, a += rowBytes) raise(s, row, a, dim, count);
    s = scores;
    for (let row = scratch; row < end; row += ROW_BYTES, s += 4 * KV_BLOCK) weigh(s, row, values, count, steps);
    s = scores;
    for (let row = scratch, i: usize = 0; row < end; row += ROW_BYTES, s += 4 * KV_BLOCK, i++) {
      encode(s, codes + ((i >> 1) * (2 * KV_BLOCK)) + ((i & 1) << 2), row, count, flip);
      store<i32>(row, load<i32>(row, LEFT) - KV_BLOCK, LEFT);
    }
    if (wide) widenCodes(codes, wideCodes, pairs);
    if (form == I8_WIDE) mixI8Wide(wideCodes, v, accs, scratch, pairs, count, dim);
    else if (form == I4_WIDE) mixI4Wide(wideCodes, v, accs, scratch, pairs, count, dim);
    else if (ASC_FEATURE_RELAXED_SIMD && form == I4_DOT) mixI4Dot(codes, v, accs, scratch, pairs, count, dim);
    else if (ASC_FEATURE_RELAXED_SIMD && form == I8_SIGNED) mixI8Signed(codes, v, accs, scratch, pairs, count, dim);
    else if (ASC_FEATURE_RELAXED_SIMD) mixI8Unsigned(codes, v, accs, scratch, pairs, count, dim);
  }
  for (let r = 0, record = scratch, a = accs; record < end; r++, record += ROW_BYTES, a += rowBytes)
    endRow(out + ((<usize>(t + r / heads) * outStride + <usize>(head + r % heads) * headDim) << 2), a, record, headDim);
}

/** Rows [begin, end) of T * heads in groups of at most ATTENTION_ROWS that share a kv head. */
function attend(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize, form: i32,
): void {
  const kv: usize = load<usize>(control + KV_ADDRESS), position = load<i32>(control + POSITION), each = heads / kvHeads;
  const headBytes = <usize>kvBlocks(capacity) * kvBlockBytes(headDim, form >= I4_WIDE), k = kv + keys, v = kv + values;
  for (let i = begin, done = 0; i < end; i += done) {
    const t = i / heads, h = i % heads, tokens = h == 0 ? min((end - i) / heads, ATTENTION_ROWS / each) : 0;
    if (tokens > 0) {
      for (let g = 0; g < kvHeads; g++)
        attendRows(
          q, out, k + <usize>g * headBytes, v + <usize>g * headBytes, headDim, qStride, outStride, scale, position, t,
          g * each, each, tokens * each, form, scratch,
        );
      done = tokens * heads;
    } else {
      done = min(min(each - (h % each), end - i), ATTENTION_ROWS);
      const g = h / each;
      attendRows(
        q, out, k + <usize>g * headBytes, v + <usize>g * headBytes, headDim, qStride, outStride, scale, position, t, h, done,
        done, form, scratch,
      );
    }
  }
}

/**
 * out[t][h] = softmax(q[t][h] . k[0 .. position + t] * scale) v        rows [begin, end) of T * heads: t = i / heads
 *   q [T, qStride], out [T, outStride] f32, heads of headDim (a multiple of 4); head h reads kv head h / (heads / kvHeads)
 *   keys, values: byte offsets from the session's KV address: [kvHeads][blocks] as cacheWriteI8 leaves them
 *   scratch: ATTENTION_ROWS * (64 + 7 * KV_BLOCK) + (7 * ATTENTION_ROWS + 5) * (headDim rounded up to 8) bytes
 * Queries become int8, a block's weights times the values' scales become whole numbers of at most 255: two integer dots,
 * f32 only between them. Near attention in f32 to about 1.3 % (normally distributed data). Relaxed dots take a second
 * operand of 8 bits here, which the specification leaves open: relaxedDotProbe tells how the engine reads it, and where it
 * is emulated attentionI8Wide takes over. Exact everywhere. Source of the running softmax: FlashAttention (arXiv
 * 2205.14135), section 3.1. Reference: test/ref/attention.ts
 */
export function attentionI8Dot(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  attend(
    q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch,
    relaxedDotProbe(),
  );
}

/** As attentionI8Dot in baseline SIMD: same arguments, same bits. */
export function attentionI8Wide(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  attend(
    q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch,
    I8_WIDE,
  );
}

/** As attentionI8Dot over the cache that cacheWriteI4 leaves; weights of at most 127. Near f32 to about 16 %. */
export function attentionI4Dot(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  if (!ASC_FEATURE_RELAXED_SIMD) unreachable();
  attend(
    q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch,
    I4_DOT,
  );
}

/** As attentionI4Dot in baseline SIMD: same arguments, same bits. */
export function attentionI4Wide(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  attend(
    q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch,
    I4_WIDE,
  );
}
