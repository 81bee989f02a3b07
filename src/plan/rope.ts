// RoPE frequencies, radians per position, in f64 by the engine's own exp and log: equal bits on every runtime.
import { exp, log } from '../math.ts';

/** freqs[j] = theta^(-2j / dims) / linearFactor / divisors[j], j = 0 .. dims / 2 - 1 */
export function ropeFrequencies(
  rope: { dims: number; theta: number; linearFactor: number },
  divisors?: Float32Array,
): Float64Array {
  const freqs = new Float64Array(rope.dims / 2);
  const step = (-2 * log(rope.theta)) / rope.dims;
  for (let j = 0; j < freqs.length; j++) freqs[j] = exp(step * j) / rope.linearFactor / (divisors?.[j] ?? 1);
  return freqs;
}
