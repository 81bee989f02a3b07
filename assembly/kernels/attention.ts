// Causal attention of new tokens over the cache, one (token, head) at a time. Scores of one row live in scratch: no
// quadratic memory. Every sum runs over absolute positions in rising order, so chunks give the bits of single tokens.
import { expF32x4 } from '../exp';
import { KV_ADDRESS, POSITION } from '../layout';
import { dotF32, loadF16x4, sumF32 } from '../simd';

/** sum_d q[d] * k[d], k f16; headDim a multiple of 4. In the order of dotF32. */
@inline function dotF16(q: usize, k: usize, headDim: i32): f32 {
  let s0 = f32x4.splat(0), s1 = s0, s2 = s0, s3 = s0;
  const e16 = q + (<usize>(headDim & ~15) << 2), e = q + (<usize>headDim << 2);
  for (; q < e16; q += 64, k += 32) {
    s0 = f32x4.add(s0, f32x4.mul(v128.load(q), loadF16x4(k)));
    s1 = f32x4.add(s1, f32x4.mul(v128.load(q, 16), loadF16x4(k + 8)));
    s2 = f32x4.add(s2, f32x4.mul(v128.load(q, 32), loadF16x4(k + 16)));
    s3 = f32x4.add(s3, f32x4.mul(v128.load(q, 48), loadF16x4(k + 24)));
  }
  for (; q < e; q += 16, k += 8) s0 = f32x4.add(s0, f32x4.mul(v128.load(q), loadF16x4(k)));
  return sumF32(f32x4.add(f32x4.add(s0, s1), f32x4.add(s2, s3)));
}

/** scores[0 .. count) become e^(score - most); returns their sum. The scores' room is padded to a multiple of 4. */
@inline function softmaxSum(scores: usize, count: i32, most: f32): f32 {
  const m = f32x4.splat(most);
  let sum = f32x4.splat(0), p = scores;
  for (const e = scores + (<usize>(count & ~3) << 2); p < e; p += 16) {
    const v = expF32x4(f32x4.sub(v128.load(p), m));
    v128.store(p, v);
    sum = f32x4.add(sum, v);
  }
  if (count & 3) {
    v128.store(p, expF32x4(f32x4.sub(v128.load(p), m)));
    // Positions past the last have weight 0, not e^-87.
    for (let r = scores + (<usize>count << 2), e = p + 16; r < e; r += 4) store<f32>(r, 0);
    sum = f32x4.add(sum, v128.load(p));
  }
  return sumF32(sum);
}

/** 16 values of the cache's element type at p, lane group i. */
@inline function value(p: usize, i: usize, f16: bool): v128 {
  return f16 ? loadF16x4(p + (i << 3)) : v128.load(p + (i << 4));
}

/** out[0 .. 4 * n) = sum_j scores[j] * v[j][0 .. 4 * n) / sum, n <= 4 groups of four. */
@inline function mix(scores: usize, v: usize, out: usize, count: i32, rowBytes: usize, n: i32, sum: v128, f16: bool): void {
  let a0 = f32x4.splat(0), a1 = a0, a2 = a0, a3 = a0;
  for (const e = scores + (<usize>count << 2); scores < e; scores += 4, v += rowBytes) {
    const s = v128.load32_splat(scores);
    a0 = f32x4.add(a0, f32x4.mul(s, value(v, 0, f16)));
    if (n > 1) a1 = f32x4.add(a1, f32x4.mul(s, value(v, 1, f16)));
    if (n > 2) a2 = f32x4.add(a2, f32x4.mul(s, value(v, 2, f16)));
    if (n > 3) a3 = f32x4.add(a3, f32x4.mul(s, value(v, 3, f16)));
  }
  v128.store(out, f32x4.div(a0, sum));
  if (n > 1) v128.store(out, f32x4.div(a1, sum), 16);
  if (n > 2) v128.store(out, f32x4.div(a2, sum), 32);
  if (n > 3) v128.store(out, f32x4.div(a3, sum), 48);
}

@inline function attention(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize, f16: bool,
): void {
  const kv: usize = load<usize>(control + KV_ADDRESS), position = load<i32>(control + POSITION);
  const group = heads / kvHeads, shift: usize = f16 ? 1 : 2, rowBytes = <usize>headDim << shift;
  for (let i = begin; i < end; i++) {
    const t = i / heads, h = i % heads, count = position + t + 1;
    const head = <usize>(h / group) * capacity * rowBytes;
    const x = q + ((<usize>t * qStride + <usize>h * headDim) << 2);
    let k = kv + keys + head, most: f32 = -Infinity;
    for (let j = 0; j < count; j++, k += rowBytes) {
      const s = (f16 ? dotF16(x, k, headDim) : dotF32(x, k, headDim)) * scale;
      store<f32>(scratch + (<usize>j << 2), s);
      most = max<f32>(most, s);
    }
    const sum = f32x4.splat(softmaxSum(scratch, count, most));
    let o = out + ((<usize>t * outStride + <usize>h * headDim) << 2), v = kv + values + head, d = 0;
    for (; d + 16 <= headDim; d += 16, v += <usize>16 << shift, o += 64) mix(scratch, v, o, count, rowBytes, 4, sum, f16);
    for (; d < headDim; d += 4, v += <usize>4 << shift, o += 16) mix(scratch, v, o, count, rowBytes, 1, sum, f16);
  }
}

/**
 * out[t][h] = softmax(q[t][h] . k[0 .. position + t] * scale) v        rows [begin, end) of T * heads: t = i / heads
 *   q [T, qStride], out [T, outStride] f32, heads of headDim (a multiple of 4); head h reads kv head h / (heads / kvHeads)
 *   keys, values: byte offsets from the session's KV address: [kvHeads, capacity, headDim] f32
 *   scratch: 4 * capacity bytes, rounded up to 16
 */
export function attentionF32(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  attention(q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch, false);
}

/** As attentionF32 over a cache of f16. */
export function attentionF16(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize,
): void {
  attention(q, out, control, keys, values, heads, kvHeads, headDim, capacity, qStride, outStride, scale, begin, end, scratch, true);
}
