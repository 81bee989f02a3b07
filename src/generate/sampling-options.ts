// Sampling options as they are used: checked, with their defaults. Knows no logits.
import { TernlightError } from '../errors.ts';
import type { Metadata } from '../formats/types.ts';
import type { SamplingOptions } from './options.ts';

export const DEFAULT_TOP_K = 40;

export type CheckedSampling = Readonly<Required<SamplingOptions>>;

/** Throws "invalid-option" with the option's name, what it is and what is expected. */
export function checkSampling(options: SamplingOptions): CheckedSampling {
  const real = (
    name: keyof SamplingOptions,
    fallback: number,
    ok: (x: number) => boolean,
    expected: string,
  ): number => {
    const value = options[name] ?? fallback;
    if (typeof value === 'number' && Number.isFinite(value) && ok(value)) return value;
    throw new TernlightError('invalid-option', `options: ${name} is ${show(value)}, expected ${expected}`);
  };
  const count = (x: number) => Number.isSafeInteger(x) && x >= 0;
  const share = (x: number) => x >= 0 && x <= 1;
  const small = (x: number) => Math.abs(x) <= 100;
  return {
    temperature: real('temperature', 0.7, (x) => x >= 0, 'a number >= 0'),
    topK: real('topK', DEFAULT_TOP_K, count, 'an integer >= 0'),
    topP: real('topP', 0.95, share, 'a number from 0 to 1'),
    minP: real('minP', 0, share, 'a number from 0 to 1'),
    repetitionPenalty: real('repetitionPenalty', 1, (x) => x >= 0.01 && x <= 100, 'a number from 0.01 to 100'),
    presencePenalty: real('presencePenalty', 0, small, 'a number from -100 to 100'),
    frequencyPenalty: real('frequencyPenalty', 0, small, 'a number from -100 to 100'),
    penaltyWindow: real('penaltyWindow', 64, count, 'an integer >= 0'),
    seed: real('seed', Math.floor(Math.random() * 2 ** 53), count, 'an integer from 0 to 2^53-1'),
  };
}

/** What the model's makers recommend, where the file says it and it can be used. */
export function fileSampling(metadata: Pick<Metadata, 'float' | 'integer'>): SamplingOptions {
  const number = (name: string) => numberOf(metadata, `general.sampling.${name}`);
  const said: SamplingOptions = {
    temperature: number('temp'),
    topK: number('top_k'),
    topP: number('top_p'),
    minP: number('min_p'),
    repetitionPenalty: number('penalty_repeat'),
    penaltyWindow: number('penalty_last_n'),
  };
  return Object.fromEntries(Object.entries(said).filter(([name, value]) => value !== undefined && usable(name, value)));
}

/** A recommendation is no reason to refuse a file: one of the wrong type says nothing, and 1 is as good as 1.0. */
function numberOf(metadata: Pick<Metadata, 'float' | 'integer'>, key: string): number | undefined {
  for (const type of ['float', 'integer'] as const) {
    try {
      return metadata[type](key);
    } catch {}
  }
  return undefined;
}

/** `options` with `defaults` where they say nothing. */
export function withDefaults<T extends SamplingOptions>(options: T, defaults: SamplingOptions): T {
  const said = Object.entries(options).filter(([, value]) => value !== undefined);
  return { ...defaults, ...Object.fromEntries(said) } as T;
}

function usable(name: string, value: unknown): boolean {
  try {
    checkSampling({ [name]: value });
    return true;
  } catch {
    return false;
  }
}

/** A value in a message: text in quotes, objects by their kind. */
export function show(value: unknown): string {
  if (typeof value === 'string') return JSON.stringify(value);
  if (typeof value !== 'object' || value === null) return String(value);
  return Array.isArray(value) ? `an array of ${value.length}` : 'an object';
}
