// Reading numbers out of a file's metadata, each with its bounds.
import { TernlightError } from '../errors.ts';
import type { KeyValues } from './architecture.ts';

export function required(keys: KeyValues, key: string, max: number): number {
  const value = keys.perLayer(key, 0);
  if (value === undefined)
    throw new TernlightError('invalid-file', `model: key ${key} is missing; the file is not a complete model`);
  return bounded(key, value, 1, max);
}

/** The value, or an error that names the key. */
export function bounded(key: string, value: number, min: number, max: number): number {
  if (!(value >= min && value <= max))
    throw new TernlightError('invalid-file', `model: ${key} is ${value}, expected ${min} to ${max}`);
  return value;
}

/** The same value in every layer, or a refusal: no architecture here varies by layer. */
export function uniform(keys: KeyValues, key: string, nLayers: number, fallback?: number): number {
  const first = keys.perLayer(key, 0) ?? fallback;
  if (first === undefined)
    throw new TernlightError('invalid-file', `model: key ${key} is missing; the file is not a complete model`);
  for (let layer = 1; layer < nLayers; layer++) {
    const value = keys.perLayer(key, layer) ?? fallback;
    if (value !== first)
      throw new TernlightError('unsupported', `model: ${key} is ${value} in layer ${layer} and ${first} in layer 0`);
  }
  return bounded(key, first, 1, 2 ** 24);
}
