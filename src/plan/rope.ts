// RoPE frequencies, radians per position, in f64 by the engine's own exp and log: equal bits on every runtime.
import type { RopeConfig } from '../arch/architecture.ts';
import { exp, log } from '../math.ts';

/** The tensor of numbers that angles are divided by (Llama 3.1): [dims / 2]. */
export const ROPE_DIVISORS = 'rope_freqs.weight';

/**
 * freqs[j] = theta^(-2j / dims), scaled, j = 0 .. dims / 2 - 1. Linear: divided by the factor. YaRN (arXiv 2309.00071,
 * section 3.2): divided where a wave is longer than the original context, kept where it is short, blended between.
 */
export function ropeFrequencies({ dims, theta, scaling }: RopeConfig): Float64Array {
  const freqs = new Float64Array(dims / 2);
  const step = (-2 * log(theta)) / dims;
  for (let j = 0; j < freqs.length; j++) freqs[j] = exp(step * j);
  if (scaling.type === 'none') return freqs;
  const { factor } = scaling;
  if (scaling.type === 'linear') return freqs.map((f) => f / factor);
  const { originalContextLength, betaFast, betaSlow } = scaling;
  /** The dimension that turns `rotations` times within the original context. */
  const dimension = (rotations: number) =>
    (dims * log(originalContextLength / (rotations * 2 * Math.PI))) / (2 * log(theta));
  const low = Math.max(0, Math.floor(dimension(betaFast)));
  const high = Math.min(dims - 1, Math.ceil(dimension(betaSlow)));
  return freqs.map((f, j) => {
    const kept = 1 - Math.min(1, Math.max(0, (j - low) / Math.max(0.001, high - low)));
    return (f / factor) * (1 - kept) + f * kept;
  });
}

/** What YaRN multiplies cosines and sines with. */
export function ropeMagnitude({ scaling }: RopeConfig): number {
  if (scaling.type !== 'yarn') return 1;
  return Math.fround(scaling.attentionFactor * (1 + 0.1 * log(scaling.factor)));
}
