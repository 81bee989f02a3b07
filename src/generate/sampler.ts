// Logits to a token. Knows no text and no session. The same logits, options and seed give the same token everywhere:
// exp and log are our own, sums run in a fixed order, random numbers are integers.
import { TernlightError } from '../errors.ts';
import { exp, log } from '../math.ts';
import type { SamplingOptions } from './options.ts';
import { Random } from './random.ts';
import { type CheckedSampling, checkSampling } from './sampling-options.ts';
import { likeliest } from './top-k.ts';

/** How many candidates are tried first where topP alone limits them. */
const FIRST_NUCLEUS = 256;
/** With more than this to find, exact values of all are as cheap. */
const MOST_DECISIVE = 1024;

/**
 * penalties -> greedy if temperature is 0 -> topK -> softmax at the temperature -> topP -> minP -> draw.
 * The order for which models publish their settings: topP and minP see the probabilities at the temperature, among
 * the topK candidates. (llama.cpp's default chain applies the temperature last.)
 */
export class Sampler {
  readonly options: CheckedSampling;
  readonly #random: Random;
  readonly #vocabSize: number;
  #penalized = new Float32Array(0);
  #weights = new Float64Array(0);

  /**
   * @param vocabSize number of token strings: rows of logits beyond them are padding and never drawn
   * Throws "invalid-option".
   */
  constructor(options: SamplingOptions, vocabSize: number) {
    this.options = checkSampling(options);
    this.#random = new Random(this.options.seed);
    this.#vocabSize = vocabSize;
  }

  /** @param history all tokens so far, prompt included: the penalties look at its end. `logits` is not changed. */
  sample(logits: Float32Array, history: readonly number[]): number {
    const count = Math.min(this.#vocabSize, logits.length);
    const penalized = this.#penalize(logits, history, count);
    const best = greatest(penalized, count);
    return this.options.temperature === 0 ? best : this.#draw(penalized, count, penalized[best]!);
  }

  /** How many of the greatest of `rows` logits decide what sample draws, if no other is above them; 0: all. */
  decisive(rows: number): number {
    const { temperature, topK, repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow } = this.options;
    const wanted = temperature === 0 ? 1 : topK;
    const raises = repetitionPenalty < 1 || presencePenalty < 0 || frequencyPenalty < 0;
    if (wanted === 0 || raises) return 0;
    // Each penalised token and each row that is no token may take the place of one that is wanted.
    const most = wanted + (this.#penalizes() ? penaltyWindow : 0) + Math.max(0, rows - this.#vocabSize);
    return most <= Math.min(MOST_DECISIVE, rows) ? most : 0;
  }

  #penalizes(): boolean {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow } = this.options;
    return penaltyWindow > 0 && (repetitionPenalty !== 1 || presencePenalty !== 0 || frequencyPenalty !== 0);
  }

  #penalize(logits: Float32Array, history: readonly number[], count: number): Float32Array {
    const { repetitionPenalty, presencePenalty, frequencyPenalty, penaltyWindow } = this.options;
    if (!this.#penalizes()) return logits;
    if (this.#penalized.length !== logits.length) this.#penalized = new Float32Array(logits.length);
    this.#penalized.set(logits);
    const times = new Map<number, number>();
    for (const id of history.slice(-penaltyWindow)) times.set(id, (times.get(id) ?? 0) + 1);
    for (const [id, n] of times) {
      if (id >= count) continue;
      const logit = logits[id]!;
      const repeated = logit > 0 ? logit / repetitionPenalty : logit * repetitionPenalty;
      this.#penalized[id] = repeated - presencePenalty - n * frequencyPenalty;
    }
    return this.#penalized;
  }

  #draw(logits: Float32Array, count: number, max: number): number {
    const { topK, topP, minP, temperature } = this.options;
    const weight = (id: number) => exp((logits[id]! - max) / temperature);
    const limited = topK > 0 && topK < count;
    let ids: Int32Array | undefined;
    if (limited) ids = likeliest(logits, count, topK);
    else if (topP < 1) ids = this.#nucleus(logits, count, weight);
    const length = ids?.length ?? count;
    if (this.#weights.length < length) this.#weights = new Float64Array(length);
    const weights = this.#weights;
    let total = 0;
    for (let i = 0; i < length; i++) {
      weights[i] = weight(ids ? ids[i]! : i);
      total += weights[i]!;
    }
    let kept = length;
    if (limited && topP < 1) {
      const enough = topP * total;
      total = weights[0]!;
      for (kept = 1; kept < length && total < enough; kept++) total += weights[kept]!;
    }
    if (minP > 0) {
      total = 0;
      for (let i = 0; i < kept; i++) {
        // The likeliest has weight 1.
        if (weights[i]! < minP) weights[i] = 0;
        total += weights[i]!;
      }
    }
    let left = this.#random.next() * total;
    let last = 0;
    for (let i = 0; i < kept; i++) {
      if (weights[i] === 0) continue;
      last = i;
      left -= weights[i]!;
      if (left < 0) break;
    }
    return ids ? ids[last]! : last;
  }

  /** The smallest set of tokens, likeliest first, that has topP of all probability. */
  #nucleus(logits: Float32Array, count: number, weight: (id: number) => number): Int32Array {
    let total = 0;
    for (let id = 0; id < count; id++) total += weight(id);
    const enough = this.options.topP * total;
    for (let tried = FIRST_NUCLEUS; ; tried *= 8) {
      const ids = likeliest(logits, count, Math.min(tried, count));
      let sum = 0;
      for (let i = 0; i < ids.length; i++) {
        sum += weight(ids[i]!);
        if (sum >= enough) return ids.subarray(0, i + 1);
      }
      // Sums in two orders differ in their last bits.
      if (tried >= count) return ids;
    }
  }
}

/** The natural logarithm of a token's probability at temperature 1, without penalties. */
export function logprob(logits: Float32Array, id: number): number {
  return logits[id]! - logSumExp(logits);
}

/** ln of the sum of e^logit, in f64. */
export function logSumExp(logits: Float32Array): number {
  const max = logits[greatest(logits, logits.length)]!;
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += exp(logits[i]! - max);
  return max + log(sum);
}

/** The id of the greatest logit, the lowest on ties. -Infinity is a token that can not come; NaN is a fault. */
function greatest(logits: Float32Array, count: number): number {
  let best = -1;
  let max = -Infinity;
  for (let id = 0; id < count; id++) {
    const logit = logits[id]!;
    if (logit > max) {
      max = logit;
      best = id;
    } else if (Number.isNaN(logit)) throw badLogits(`the logit of token ${id} is NaN`);
  }
  if (best < 0) throw badLogits(count === 0 ? 'there are no logits' : 'all logits are -Infinity');
  if (max === Infinity) throw badLogits(`the logit of token ${best} is Infinity`);
  return best;
}

function badLogits(what: string): TernlightError {
  return new TernlightError(
    'internal',
    `sampler: ${what}, expected finite numbers; the model file is damaged or a kernel at fault`,
  );
}
