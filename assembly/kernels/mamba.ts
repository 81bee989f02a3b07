// Mamba-2 with one number of state per channel: what is between the two projections of a block. A channel's tokens
// follow one another; channels are independent, so they go four to a vector and are split among threads.
import { expF32x4 } from '../exp';
import { KV_ADDRESS, POSITION } from '../layout';
import { log1pF32x4 } from '../log';

/** Tokens done with a group's state and weights in registers: few enough that their rows' lines stay in L1. */
const BLOCK_TOKENS = 8;

/** x / (1 + e^-x) */
@inline function silu(x: v128): v128 {
  return f32x4.div(x, f32x4.add(f32x4.splat(1), expF32x4(f32x4.neg(x))));
}

/** log(1 + e^v); v itself above 20, where they are the same. */
@inline function softplus(v: v128): v128 {
  return v128.bitselect(v, log1pF32x4(expF32x4(v)), f32x4.gt(v, f32x4.splat(20)));
}

/**
 * The numbers that all channels of a head share, for `count` tokens: decay = e^(-e^aLog * D) and gain = B * D, where
 * D = softplus(dt + dtBias). Four tokens at a time.
 *   b, dt: addresses of B and dt of the first token, a row every rowBytes     decay, gain [BLOCK_TOKENS] f32
 */
@inline function headSteps(
  b: usize, dt: usize, rowBytes: usize, count: i32, dtBias: f32, aLog: f32, decay: usize, gain: usize,
): void {
  for (let i = 0; i < count; i++, b += rowBytes, dt += rowBytes) {
    store<f32>(gain + (i << 2), load<f32>(b));
    store<f32>(decay + (i << 2), load<f32>(dt) + dtBias);
  }
  const a = f32x4.neg(expF32x4(f32x4.splat(aLog)));
  for (const e = decay + (<usize>count << 2); decay < e; decay += 16, gain += 16) {
    const step = softplus(v128.load(decay));
    v128.store(decay, expF32x4(f32x4.mul(a, step)));
    v128.store(gain, f32x4.mul(v128.load(gain), step));
  }
}

/**
 * Convolution, SiLU, state and gate of a Mamba-2 block with state size 1.        channels [begin, end), multiples of 4
 *   p [T, pStride] f32: z [dInner], x [dInner], B [heads], C [heads], dt [heads]
 *   y [T, yStride] f32; may be p itself: y then takes the place of z
 *   convW [dInner, 4] f32, the last tap for the current token     convB, d [dInner] f32     dtBias, aLog [heads] f32
 *   tokens: address of the range [first, end)     stateOffset: bytes from the session's KV address
 *   state [dInner / 4, 4, 4] f32: for four channels x of three, two and one tokens ago, then s. Taken as zeros where
 *   the first token's position is 0.     dInner / heads % 4 = 0     scratch: 64 bytes
 */
export function mambaF32(
  p: usize, pStride: i32, convW: usize, convB: usize, dtBias: usize, aLog: usize, d: usize, control: usize,
  stateOffset: usize, y: usize, yStride: i32, dInner: i32, heads: i32, tokens: usize, begin: i32, end: i32, scratch: usize,
): void {
  const state = load<usize>(control + KV_ADDRESS) + stateOffset;
  const pBytes = <usize>pStride << 2, yBytes = <usize>yStride << 2;
  const innerBytes = <usize>dInner << 2, headBytes = <usize>heads << 2, headDim = dInner / heads;
  const decays = scratch, gains = scratch + (BLOCK_TOKENS << 2), zero = f32x4.splat(0);
  const first = load<i32>(tokens), last = load<i32>(tokens, 4);
  let fresh = first + load<i32>(control + POSITION) == 0;
  for (let t = first; t < last; t += BLOCK_TOKENS, fresh = false) {
    const count = min<i32>(BLOCK_TOKENS, last - t), rows = p + <usize>t * pBytes, out = y + <usize>t * yBytes;
    for (let c = begin, h = begin / headDim; c < end; h++) {
      const b = rows + 2 * innerBytes + (<usize>h << 2);
      headSteps(
        b, b + 2 * headBytes, pBytes, count, load<f32>(dtBias + (h << 2)), load<f32>(aLog + (h << 2)), decays, gains,
      );
      for (const stop = min<i32>(end, (h + 1) * headDim); c < stop; c += 4) {
        const w = convW + (<usize>c << 4);
        const a0 = v128.load(w), a1 = v128.load(w, 16), a2 = v128.load(w, 32), a3 = v128.load(w, 48);
        const u0 = i8x16.shuffle(a0, a1, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
        const u1 = i8x16.shuffle(a2, a3, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
        const u2 = i8x16.shuffle(a0, a1, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
        const u3 = i8x16.shuffle(a2, a3, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
        const w0 = i8x16.shuffle(u0, u1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        const w1 = i8x16.shuffle(u0, u1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        const w2 = i8x16.shuffle(u2, u3, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23);
        const w3 = i8x16.shuffle(u2, u3, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31);
        const bias = v128.load(convB + (<usize>c << 2)), skip = v128.load(d + (<usize>c << 2));
        const kept = state + (<usize>c << 4);
        let x3 = zero, x2 = zero, x1 = zero, s = zero;
        if (!fresh) {
          x3 = v128.load(kept);
          x2 = v128.load(kept, 16);
          x1 = v128.load(kept, 32);
          s = v128.load(kept, 48);
        }
        let z = rows + (<usize>c << 2), q = out + (<usize>c << 2), ch = b + headBytes;
        for (let i = 0; i < count << 2; i += 4, z += pBytes, q += yBytes, ch += pBytes) {
          const x = v128.load(z + innerBytes);
          let v = f32x4.add(bias, f32x4.mul(x3, w0));
          v = f32x4.add(v, f32x4.mul(x2, w1));
          v = f32x4.add(v, f32x4.mul(x1, w2));
          v = silu(f32x4.add(v, f32x4.mul(x, w3)));
          x3 = x2;
          x2 = x1;
          x1 = x;
          s = f32x4.add(f32x4.mul(s, v128.load32_splat(decays + i)), f32x4.mul(v, v128.load32_splat(gains + i)));
          const r = f32x4.add(f32x4.mul(s, v128.load32_splat(ch)), f32x4.mul(v, skip));
          v128.store(q, f32x4.mul(r, silu(v128.load(z))));
        }
        v128.store(kept, x3);
        v128.store(kept, x2, 16);
        v128.store(kept, x1, 32);
        v128.store(kept, s, 48);
      }
    }
  }
}
