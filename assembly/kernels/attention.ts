// Causal attention of new tokens over a cache of f32 or f16. Rows (heads of tokens) that share keys go together: up to
// four, so that a key or value is read, and widened, once for all of them. Only their scores are kept: no quadratic
// memory. Every sum runs over absolute positions in rising order, so neither chunks nor the split of rows change a bit.
import { expF32x4 } from '../exp';
import { FLOAT_ROWS, KV_ADDRESS, POSITION } from '../layout';
import { maxF32, sumF32 } from '../simd';
import { mixF16, mixF32, QUERY_FACTOR, SCORE_FACTOR, scoresF16, scoresF32, WEIGHT_FACTOR } from './attention-float';
import { touch, TOUCH_POSITIONS, TOUCH_ROWS } from './touch';

/** Positions that all rows go through before the next. */
const BLOCK: i32 = 64;

@inline function largest(scores: usize, count: i32): f32 {
  let p = scores, v = v128.load32_splat(scores);
  for (const e = scores + (<usize>(count & ~3) << 2); p < e; p += 16) v = f32x4.pmax(v, v128.load(p));
  let most = maxF32(v);
  for (const e = scores + (<usize>count << 2); p < e; p += 4) most = max<f32>(most, load<f32>(p));
  return most;
}

/**
 * scores[0 .. count) become factor * e^(score - the largest); returns the sum without the factor, a power of two.
 * The scores' room is padded to a multiple of 4.
 */
function softmaxSum(scores: usize, count: i32, factor: f32): f32 {
  const m = f32x4.splat(largest(scores, count)), by = f32x4.splat(factor);
  let sum = f32x4.splat(0), p = scores;
  for (const e = scores + (<usize>(count & ~3) << 2); p < e; p += 16) {
    const v = expF32x4(f32x4.sub(v128.load(p), m));
    v128.store(p, f32x4.mul(v, by));
    sum = f32x4.add(sum, v);
  }
  if (count & 3) {
    v128.store(p, expF32x4(f32x4.sub(v128.load(p), m)));
    // Positions past the last have weight 0, not e^-87.
    for (let r = scores + (<usize>count << 2), e = p + 16; r < e; r += 4) store<f32>(r, 0);
    sum = f32x4.add(sum, v128.load(p));
    v128.store(p, f32x4.mul(v128.load(p), by));
  }
  return sumF32(sum);
}

/** d[0 .. count) = x * by, or x / by. */
@inline function scaled(x: usize, d: usize, count: i32, by: f32, divided: bool): void {
  const v = f32x4.splat(by);
  for (const e = x + (<usize>count << 2); x < e; x += 16, d += 16)
    v128.store(d, divided ? f32x4.div(v128.load(x), v) : f32x4.mul(v128.load(x), v));
}

/** Rows of `together` heads from q and out on, of one token and the next ones; `count`: positions for the first. */
function attendRows(
  q: usize, out: usize, keys: usize, values: usize, together: i32, rows: i32, headDim: i32, capacity: i32, qStride: i32,
  outStride: i32, scale: f32, count: i32, scratch: usize, f16: bool,
): void {
  const rowBytes = <usize>headDim << (f16 ? 1 : 2), xBytes = <usize>headDim << 2, sBytes = <usize>((capacity + 3) & ~3) << 2;
  const acc = scratch + <usize>rows * xBytes, s = acc + <usize>rows * xBytes, last = count + (rows - 1) / together;
  for (let r = 0, d = scratch; r < rows; r++, d += xBytes) {
    const x = q + ((<usize>(r / together) * qStride + <usize>(r % together) * headDim) << 2);
    scaled(x, d, headDim, f16 ? QUERY_FACTOR : 1, false);
  }
  // Later positions are scored for earlier tokens too, and not used.
  for (let j = 0, k = keys, o = s; j < last; j += BLOCK, k += BLOCK * rowBytes, o += 4 * BLOCK) {
    if (rows <= TOUCH_ROWS && j < TOUCH_POSITIONS) touch(k, <usize>min(BLOCK, last - j) * rowBytes, acc);
    if (f16) scoresF16(scratch, xBytes, k, o, sBytes, headDim, scale * SCORE_FACTOR, min(BLOCK, last - j), rows);
    else scoresF32(scratch, xBytes, k, o, sBytes, headDim, scale, min(BLOCK, last - j), rows);
  }
  // The queries are done with: the sums take their place.
  for (let r = 0; r < rows; r++)
    store<f32>(scratch + (<usize>r << 2), softmaxSum(s + <usize>r * sBytes, count + r / together, f16 ? WEIGHT_FACTOR : 1));
  memory.fill(acc, 0, <usize>rows * xBytes);
  for (let j = 0, v = values, w = s; j < count; j += BLOCK, v += BLOCK * rowBytes, w += 4 * BLOCK) {
    if (rows <= TOUCH_ROWS && j < TOUCH_POSITIONS) touch(v, <usize>min(BLOCK, count - j) * rowBytes, scratch + 8);
    if (f16) mixF16(w, sBytes, v, acc, xBytes, headDim, min(BLOCK, count - j), rows);
    else mixF32(w, sBytes, v, acc, xBytes, headDim, min(BLOCK, count - j), rows);
  }
  const v = values + <usize>count * rowBytes, w = s + (<usize>count << 2);
  for (let r = 0, a = acc; r < rows; r++, a += xBytes) {
    if (f16) mixF16(w + <usize>r * sBytes, sBytes, v, a, xBytes, headDim, r / together, 1);
    else mixF32(w + <usize>r * sBytes, sBytes, v, a, xBytes, headDim, r / together, 1);
    const o = out + ((<usize>(r / together) * outStride + <usize>(r % together) * headDim) << 2);
    scaled(a, o, headDim, load<f32>(scratch + (<usize>r << 2)), true);
  }
}

function attend(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize, f16: bool,
): void {
  const kv: usize = load<usize>(control + KV_ADDRESS), position = load<i32>(control + POSITION), group = heads / kvHeads;
  const kvBytes = (<usize>capacity * headDim) << (f16 ? 1 : 2), k = kv + keys, v = kv + values;
  for (let i = begin, done = 0; i < end; i += done) {
    const t = i / heads, h = i % heads, tokens = h ? 0 : min((end - i) / heads, FLOAT_ROWS / group), count = position + t + 1;
    const x = q + ((<usize>t * qStride) << 2), o = out + ((<usize>t * outStride) << 2);
    if (tokens > 1) {
      for (let g = 0; g < kvHeads; g++) {
        const d = <usize>(g * group * headDim) << 2, at = <usize>g * kvBytes;
        attendRows(
          x + d, o + d, k + at, v + at, group, tokens * group, headDim, capacity, qStride, outStride, scale, count, scratch, f16,
        );
      }
      done = tokens * heads;
    } else {
      done = min(group - (h % group), end - i);
      const d = <usize>(h * headDim) << 2, at = <usize>(h / group) * kvBytes;
      attendRows(
        x + d, o + d, k + at, v + at, done, done, headDim, capacity, qStride, outStride, scale, count, scratch, f16,
      );
    }
  }
}

/**
 * out[t][h] = softmax(q[t][h] . k[0 .. position + t] * scale) v        rows [begin, end) of T * heads: t = i / heads
 *   q [T, qStride], out [T, outStride] f32, heads of headDim (a multiple of 4); head h reads kv head h / (heads / kvHeads)
 *   keys, values: byte offsets from the session's KV address: [kvHeads, capacity, headDim] f32
 *   scratch: R * (8 * headDim + 4 * (capacity rounded up to 4)) bytes, R = max(FLOAT_ROWS, heads / kvHeads)
 */
export function attentionF32(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  attend(
    q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch, false,
  );
}

/** As attentionF32 over a cache of f16. |q| below 2^31. */
export function attentionF16(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  attend(
    q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch, true,
  );
}
