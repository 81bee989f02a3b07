// From a row of logits to the next token. All arithmetic is f64 with the engine's own exp: same seed, same token,
// whatever the runtime.
import { TernlightError } from '../errors.ts';
import { exp, log } from '../math.ts';
import { topTokens } from './candidates.ts';
import type { SamplingOptions } from './options.ts';
import { Random } from './random.ts';

const DEFAULTS = {
  temperature: 0.7,
  topK: 40,
  topP: 0.95,
  minP: 0,
  repetitionPenalty: 1,
  presencePenalty: 0,
  frequencyPenalty: 0,
  penaltyWindow: 64,
};

const BOUNDS: Record<keyof typeof DEFAULTS, [min: number, max: number, integer?: boolean]> = {
  temperature: [0, 100],
  topK: [0, 2 ** 31, true],
  topP: [0, 1],
  minP: [0, 1],
  repetitionPenalty: [1e-3, 1e3],
  presencePenalty: [-1e3, 1e3],
  frequencyPenalty: [-1e3, 1e3],
  penaltyWindow: [0, 2 ** 31, true],
};

/**
 * Penalties, then greedy if the temperature is 0; else top-k, top-p, min-p (on the probabilities at temperature 1, as
 * llama.cpp's default chain), then the temperature and a seeded draw.
 */
export class Sampler {
  readonly seed: number;
  readonly #o: typeof DEFAULTS;
  readonly #random: Random;
  readonly #limit: number;

  /**
   * @param limit ids from here on are never chosen: rows of the head that have no token.
   * Throws invalid-option, naming the option.
   */
  constructor(options: SamplingOptions, limit: number) {
    const o = { ...DEFAULTS };
    for (const name of Object.keys(DEFAULTS) as (keyof typeof DEFAULTS)[]) {
      const value = options[name] ?? DEFAULTS[name];
      const [min, max, integer] = BOUNDS[name];
      if (!(value >= min && value <= max) || (integer && !Number.isInteger(value)))
        throw new TernlightError(
          'invalid-option',
          `options: ${name} is ${value}, expected ${integer ? 'an integer' : 'a number'} from ${min} to ${max}`,
        );
      o[name] = value;
    }
    const seed = options.seed ?? Math.floor(Math.random() * 2 ** 32);
    if (!Number.isSafeInteger(seed) || seed < 0)
      throw new TernlightError('invalid-option', `options: seed is ${seed}, expected an integer from 0 to 2^53 - 1`);
    this.#o = o;
    this.seed = seed;
    this.#random = new Random(seed);
    this.#limit = limit;
  }

  /** @param history all tokens before, prompt included. `logits` is as before when this returns. */
  sample(logits: Float32Array, history: readonly number[]): number {
    const changed = this.#penalize(logits, history);
    try {
      return this.#choose(logits);
    } finally {
      for (const [id, value] of changed) logits[id] = value;
    }
  }

  /** Natural logarithm of a token's probability at temperature 1. */
  logprob(logits: Float32Array, id: number): number {
    const most = this.#most(logits);
    let sum = 0;
    for (let i = 0; i < this.#limit; i++) sum += exp(logits[i]! - most);
    return logits[id]! - most - log(sum);
  }

  #penalize(logits: Float32Array, history: readonly number[]): [id: number, before: number][] {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow } = this.#o;
    const changed: [number, number][] = [];
    if (penaltyWindow === 0 || (repetitionPenalty === 1 && presencePenalty === 0 && frequencyPenalty === 0))
      return changed;
    const counts = new Map<number, number>();
    for (const id of history.slice(-penaltyWindow)) counts.set(id, (counts.get(id) ?? 0) + 1);
    for (const [id, count] of counts) {
      if (id >= logits.length) continue;
      const before = logits[id]!;
      changed.push([id, before]);
      const scaled = before > 0 ? before / repetitionPenalty : before * repetitionPenalty;
      logits[id] = scaled - presencePenalty - frequencyPenalty * count;
    }
    return changed;
  }

  #choose(logits: Float32Array): number {
    const { temperature, topK } = this.#o;
    if (temperature === 0) return this.#greedy(logits);
    const most = this.#most(logits);
    const ids = this.#nucleus(logits, most, topK === 0 ? this.#limit : Math.min(topK, this.#limit));
    let sum = 0;
    const weights = ids.map((id) => {
      const weight = exp((logits[id]! - most) / temperature);
      sum += weight;
      return weight;
    });
    let left = this.#random.uniform() * sum;
    for (const [i, weight] of weights.entries()) {
      left -= weight;
      if (left < 0) return ids[i]!;
    }
    return ids[ids.length - 1]!;
  }

  /** What top-k, top-p and min-p leave, likeliest first. The list grows only as far as it must. */
  #nucleus(logits: Float32Array, most: number, k: number): number[] {
    const { topP, minP } = this.#o;
    const whole = k === this.#limit;
    // Without a top-k, probabilities are shares of the whole vocabulary.
    let total = 0;
    if (whole && topP < 1) for (let i = 0; i < this.#limit; i++) total += exp(logits[i]! - most);
    for (let count = whole ? Math.min(256, k) : k; ; count = Math.min(4 * count, k)) {
      const ids = topTokens(logits, this.#limit, count);
      const weights = ids.map((id) => exp(logits[id]! - most));
      if (!whole) total = weights.reduce((a, b) => a + b, 0);
      let keep = 0;
      let mass = 0;
      while (keep < ids.length && weights[keep]! >= minP && (keep === 0 || topP >= 1 || mass < topP * total))
        mass += weights[keep++]!;
      if (keep < ids.length || count === k) return ids.slice(0, Math.max(1, keep));
    }
  }

  #greedy(logits: Float32Array): number {
    const most = this.#most(logits);
    return logits.indexOf(most);
  }

  #most(logits: Float32Array): number {
    let most = -Infinity;
    for (let i = 0; i < this.#limit; i++) {
      const v = logits[i]!;
      if (v > most) most = v;
      else if (v !== v)
        throw new TernlightError(
          'internal',
          `sampler: logit ${i} is NaN; the model file is damaged or its architecture is mislabelled`,
        );
    }
    if (!Number.isFinite(most))
      throw new TernlightError('internal', `sampler: the largest logit is ${most}; the model file is damaged`);
    return most;
  }
}
