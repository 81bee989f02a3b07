// The steps of attention: writing a layer's keys and values into the session's cache, and reading them.
import { RANGE_ALL } from '../../assembly/layout.ts';
import type { Kernels } from '../kernels.d.ts';
import type { NeedyStep } from './matmul.ts';
import { attentionScratchBytes, type BuilderOptions, layerCacheBytes, unpaired, type Value } from './types.ts';
import { roundUp } from './weights.ts';

type Options = Pick<BuilderOptions, 'config' | 'capacity' | 'kv' | 'control' | 'rowKernel'>;

const WRITERS = { f32: 'cacheWriteF32', f16: 'cacheWriteF16', i8: 'cacheWriteI8', i4: 'cacheWriteI4' } as const;

/** Where a layer's keys and its values are in a session's cache, and where they end. */
export interface CachePlace {
  keys: number;
  values: number;
  endBytes: number;
}

export function cachePlace(layer: number, { config, capacity, kv }: Options): CachePlace {
  const bytes = layerCacheBytes(config, capacity, kv);
  return { keys: 2 * layer * bytes, values: (2 * layer + 1) * bytes, endBytes: (2 * layer + 2) * bytes };
}

/** A kernel call for keys and one for values; both may run per token. */
export function cacheWrites(k: Value, v: Value, place: CachePlace, { config, capacity, kv, control }: Options) {
  const { nKvHeads, headDim } = config;
  const integer = kv === 'i8' || kv === 'i4';
  const args = (x: Value, offset: number, isValue: number) => [
    ...[x.address, control, offset, nKvHeads, headDim, capacity, x.stride],
    ...(integer ? [isValue] : []),
  ];
  return {
    kernel: WRITERS[kv] satisfies keyof Kernels,
    calls: [args(k, place.keys, 0), args(v, place.values, 1)],
    scratchBytes: integer ? 4 * headDim + roundUp(headDim, 8) : 0,
  };
}

/** Causal attention over the cache, the scale 1 / sqrt(headDim): q [T, heads * headDim] -> out. */
export function attentionStep(q: Value, out: Value, place: CachePlace, options: Options): NeedyStep {
  const { config, capacity, kv, control, rowKernel } = options;
  const { nHeads, nKvHeads, headDim } = config;
  const form = unpaired(rowKernel) === 'dot' ? 'Dot' : 'Wide';
  const kernels = {
    f32: 'attentionF32',
    f16: 'attentionF16',
    i8: `attentionI8${form}`,
    i4: `attentionI4${form}`,
  } as const;
  const args = [
    ...[q.address, out.address, control, place.keys, place.values, nHeads, nKvHeads, headDim, capacity],
    ...[q.stride, out.stride, Math.fround(1 / Math.sqrt(headDim))],
  ];
  return {
    step: { kernel: kernels[kv], args, rows: nHeads, align: 1, range: RANGE_ALL, growing: true },
    scratchBytes: attentionScratchBytes(config, capacity, kv),
  };
}
