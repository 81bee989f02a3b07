// Reading a file's RoPE: which dimensions turn, how fast, and how that is stretched for longer contexts.
import { TernlightError } from '../errors.ts';
import type { KeyValues, RopeConfig, RopeScaling } from './architecture.ts';
import { bounded } from './keys.ts';

export function readRope(
  keys: KeyValues,
  architecture: string,
  model: { headDim: number; contextLength: number; pairing: RopeConfig['pairing'] },
): RopeConfig {
  const key = (name: string) => `${architecture}.rope.${name}`;
  const dims = keys.integer(key('dimension_count')) ?? model.headDim;
  if (dims < 2 || dims % 2 !== 0 || dims > model.headDim)
    throw new TernlightError(
      'invalid-file',
      `model: ${key('dimension_count')} is ${dims}, expected an even number up to ${model.headDim}`,
    );
  const theta = bounded(key('freq_base'), keys.float(key('freq_base')) ?? 10000, 1, 1e12);
  return { pairing: model.pairing, dims, theta, scaling: readScaling(keys, key, model.contextLength) };
}

function readScaling(keys: KeyValues, key: (name: string) => string, contextLength: number): RopeScaling {
  const name = key('scaling.type');
  const type = keys.string(name) ?? 'linear';
  const said = keys.float(key('scaling.factor')) ?? keys.float(key('scale_linear')) ?? 0;
  if (type === 'none' || (type === 'linear' && said === 0)) return { type: 'none' };
  if (type !== 'linear' && type !== 'yarn')
    throw new TernlightError('unsupported', `model: ${name} is "${type}", expected "none", "linear" or "yarn"`);
  const factor = bounded(key('scaling.factor'), said, 1e-6, 1e6);
  if (factor === 1) return { type: 'none' };
  if (type === 'linear') return { type, factor };
  const number = (of: string, fallback: number, min: number, max: number) =>
    bounded(key(`scaling.${of}`), keys.float(key(`scaling.${of}`)) ?? fallback, min, max);
  const original = key('scaling.original_context_length');
  return {
    type,
    factor,
    originalContextLength: bounded(original, keys.integer(original) ?? contextLength, 1, 2 ** 24),
    betaFast: number('yarn_beta_fast', 32, 1e-3, 1e6),
    betaSlow: number('yarn_beta_slow', 1, 1e-3, 1e6),
    // Two names of the same number, from two generations of files.
    attentionFactor: number('yarn_attn_factor', 1, 1e-3, 1e3) * number('attn_factor', 1, 1e-3, 1e3),
  };
}
