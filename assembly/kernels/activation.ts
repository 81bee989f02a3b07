// The gates of the feed-forward network.
import { expF32x4 } from '../exp';

/** gate[t] = max(gate[t], 0)^2 * up[t]       tokens [begin, end); gate, up [T, stride] f32; dim a multiple of 4 */
export function reluSquaredMulF32(gate: usize, up: usize, dim: i32, stride: i32, begin: i32, end: i32): void {
  const zero = f32x4.splat(0);
  for (let t = begin; t < end; t++) {
    let g = gate + ((<usize>t * stride) << 2), u = up + ((<usize>t * stride) << 2);
    for (const e = g + (<usize>dim << 2); g < e; g += 16, u += 16) {
      const r = f32x4.pmax(v128.load(g), zero);
      v128.store(g, f32x4.mul(f32x4.mul(r, r), v128.load(u)));
    }
  }
}

/** gate[t] = gate[t] / (1 + e^-gate[t]) * up[t]       as reluSquaredMulF32 */
export function siluMulF32(gate: usize, up: usize, dim: i32, stride: i32, begin: i32, end: i32): void {
  const one = f32x4.splat(1);
  for (let t = begin; t < end; t++) {
    let g = gate + ((<usize>t * stride) << 2), u = up + ((<usize>t * stride) << 2);
    for (const e = g + (<usize>dim << 2); g < e; g += 16, u += 16) {
      const x = v128.load(g);
      v128.store(g, f32x4.mul(f32x4.div(x, f32x4.add(one, expF32x4(f32x4.neg(x)))), v128.load(u)));
    }
  }
}
