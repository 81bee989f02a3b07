// Causal attention of new tokens over the cache. Heads that share keys are done together, a block of positions at a time,
// so that a block of f16 is widened once for all of them. Only their rows of scores are kept: no quadratic memory. Every
// sum runs over absolute positions in rising order, so neither chunks nor the split of heads change a bit.
import { expF32x4 } from '../exp';
import { ATTENTION_BLOCK, KV_ADDRESS, POSITION } from '../layout';
import { dotF32, loadF16x4, maxF32, sumF32 } from '../simd';

/** Where `count` cached numbers at p stand as f32: there, or widened in scratch. count a multiple of 4. */
@inline function asF32(p: usize, scratch: usize, count: i32, f16: bool): usize {
  if (!f16) return p;
  for (let d = scratch, e = scratch + (<usize>count << 2); d < e; d += 16, p += 8) v128.store(d, loadF16x4(p));
  return scratch;
}

@inline function largest(scores: usize, count: i32): f32 {
  let p = scores, v = v128.load32_splat(scores);
  for (const e = scores + (<usize>(count & ~3) << 2); p < e; p += 16) v = f32x4.pmax(v, v128.load(p));
  let most = maxF32(v);
  for (const e = scores + (<usize>count << 2); p < e; p += 4) most = max<f32>(most, load<f32>(p));
  return most;
}

/** scores[0 .. count) become e^(score - the largest); returns their sum. The scores' room is padded to a multiple of 4. */
@inline function softmaxSum(scores: usize, count: i32): f32 {
  const m = f32x4.splat(largest(scores, count));
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

/** out[0 .. 4 * n) += sum_j scores[j] * v[j][0 .. 4 * n), n <= 4 groups of four. */
@inline function mixGroups(scores: usize, v: usize, out: usize, count: i32, rowBytes: usize, n: i32): void {
  let a0 = v128.load(out), a1 = a0, a2 = a0, a3 = a0;
  if (n > 1) a1 = v128.load(out, 16);
  if (n > 2) a2 = v128.load(out, 32);
  if (n > 3) a3 = v128.load(out, 48);
  for (const e = scores + (<usize>count << 2); scores < e; scores += 4, v += rowBytes) {
    const s = v128.load32_splat(scores);
    a0 = f32x4.add(a0, f32x4.mul(s, v128.load(v)));
    if (n > 1) a1 = f32x4.add(a1, f32x4.mul(s, v128.load(v, 16)));
    if (n > 2) a2 = f32x4.add(a2, f32x4.mul(s, v128.load(v, 32)));
    if (n > 3) a3 = f32x4.add(a3, f32x4.mul(s, v128.load(v, 48)));
  }
  v128.store(out, a0);
  if (n > 1) v128.store(out, a1, 16);
  if (n > 2) v128.store(out, a2, 32);
  if (n > 3) v128.store(out, a3, 48);
}

/** out[headDim] += sum_j scores[j] * v[j][headDim] over a block of positions. */
@inline function mix(scores: usize, v: usize, out: usize, count: i32, headDim: i32): void {
  const rowBytes = <usize>headDim << 2;
  let d = 0;
  for (; d + 16 <= headDim; d += 16, v += 64, out += 64) mixGroups(scores, v, out, count, rowBytes, 4);
  for (; d < headDim; d += 4, v += 16, out += 16) mixGroups(scores, v, out, count, rowBytes, 1);
}

@inline function divideBy(x: usize, count: i32, by: f32): void {
  const v = f32x4.splat(by);
  for (const e = x + (<usize>count << 2); x < e; x += 16) v128.store(x, f32x4.div(v128.load(x), v));
}

@inline function attention(
  q: usize, out: usize, control: usize, keys: usize, values: usize, heads: i32, kvHeads: i32, headDim: i32, capacity: i32,
  qStride: i32, outStride: i32, scale: f32, begin: i32, end: i32, scratch: usize, f16: bool,
): void {
  const kv: usize = load<usize>(control + KV_ADDRESS), position = load<i32>(control + POSITION);
  const group = heads / kvHeads, rowBytes = <usize>headDim << (f16 ? 1 : 2), headBytes = <usize>headDim << 2;
  const scoreBytes = <usize>((capacity + 3) & ~3) << 2, scores = scratch + ATTENTION_BLOCK * headBytes;
  let together = 0;
  for (let i = begin; i < end; i += together) {
    const t = i / heads, h = i % heads, count = position + t + 1;
    together = min(group - (h % group), end - i);
    const head = <usize>(h / group) * capacity * rowBytes;
    const x = q + ((<usize>t * qStride + <usize>h * headDim) << 2), o = out + ((<usize>t * outStride + <usize>h * headDim) << 2);
    for (let j = 0; j < count; j += ATTENTION_BLOCK) {
      const n = min(ATTENTION_BLOCK, count - j);
      const block = asF32(kv + keys + head + <usize>j * rowBytes, scratch, n * headDim, f16);
      for (let a = 0; a < together; a++) {
        let s = scores + <usize>a * scoreBytes + (<usize>j << 2), k = block;
        for (const e = s + (<usize>n << 2); s < e; s += 4, k += headBytes)
          store<f32>(s, dotF32(x + <usize>a * headBytes, k, headDim) * scale);
      }
    }
    memory.fill(o, 0, <usize>together * headBytes);
    // The sums wait behind the scores of the last head.
    const sums = scores + <usize>group * scoreBytes;
    for (let a = 0; a < together; a++) store<f32>(sums + (<usize>a << 2), softmaxSum(scores + <usize>a * scoreBytes, count));
    for (let j = 0; j < count; j += ATTENTION_BLOCK) {
      const n = min(ATTENTION_BLOCK, count - j);
      const block = asF32(kv + values + head + <usize>j * rowBytes, scratch, n * headDim, f16);
      for (let a = 0; a < together; a++)
        mix(scores + <usize>a * scoreBytes + (<usize>j << 2), block, o + <usize>a * headBytes, n, headDim);
    }
    for (let a = 0; a < together; a++) divideBy(o + <usize>a * headBytes, headDim, load<f32>(sums + (<usize>a << 2)));
  }
}

/**
 * out[t][h] = softmax(q[t][h] . k[0 .. position + t] * scale) v        rows [begin, end) of T * heads: t = i / heads
 *   q [T, qStride], out [T, outStride] f32, heads of headDim (a multiple of 4); head h reads kv head h / (heads / kvHeads)
 *   keys, values: byte offsets from the session's KV address: [kvHeads, capacity, headDim] f32
 *   scratch: 4 * ATTENTION_BLOCK * headDim + (heads / kvHeads) * (4 * capacity rounded up to 16, and 4) bytes
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
