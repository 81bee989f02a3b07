// Two models side by side: the logits that both give for the same tokens. One is in memory at a time.

import { TernlightError } from '../errors.ts';
import type { Model } from '../generate/model.ts';
import { logprob } from '../generate/sampler.ts';
import { comparisonTexts } from './texts.ts';

export interface Comparison {
  /** Positions whose logits were compared. */
  readonly positions: number;
  /** Root mean square of the difference over that of the other's logits. */
  readonly relativeRms: number;
  readonly maxDifference: number;
  /** Share of positions at which both have the same greatest logit. */
  readonly top1: number;
  /** Mean negative log-likelihood of the texts, nats per token: this model's and the other's. */
  readonly nll: number;
  readonly otherNll: number;
  /** What makes the figures less than they seem, a sentence each. */
  readonly notes: readonly string[];
}

export interface CompareOptions {
  /** Default: four short texts of different kinds. */
  texts?: readonly string[];
  signal?: AbortSignal;
  /** Positions done, of both models. */
  onProgress?: (done: number, total: number) => void;
}

/** Of the first model, kept until the second is there: 160 MB, which is 256 positions of the largest vocabulary. */
const maxLogits = 40e6;

/** Loads both models, one after the other; gives them back to nobody. Throws where their vocabularies differ. */
export async function compareModels(
  load: () => Promise<Model>,
  loadOther: () => Promise<Model>,
  { texts = comparisonTexts, signal, onProgress }: CompareOptions = {},
): Promise<Comparison> {
  const notes: string[] = [];
  const mine = await using(load, async (model) => {
    const ids = await tokenized(model, texts, notes);
    const rows: Float32Array[] = [];
    const total = 2 * count(ids);
    for (const text of ids) {
      for await (const row of model.logits(text, { signal })) {
        rows.push(row.slice());
        onProgress?.(rows.length, total);
      }
    }
    return { ids, rows, vocabSize: model.info.vocabSize };
  });
  return using(loadOther, async (other) => {
    const { ids, rows, vocabSize } = mine;
    if (other.info.vocabSize !== vocabSize)
      throw new TernlightError(
        'invalid-option',
        `compare: the vocabularies have ${vocabSize} and ${other.info.vocabSize} tokens, expected two files of one model`,
      );
    if (!(await agree(other, texts, ids)))
      notes.push("the tokenizers split the texts differently; the ids are the first model's");
    const sums = new Sums();
    for (const [t, text] of ids.entries()) {
      if (text.length > other.info.contextLength) notes.push(`text ${t + 1} is longer than the other model's context`);
      let at = 0;
      for await (const row of other.logits(text.slice(0, other.info.contextLength), { signal })) {
        const first = ids.slice(0, t).reduce((sum, before) => sum + before.length, 0);
        sums.add(rows[first + at]!, row, text[++at]);
        onProgress?.(rows.length + sums.positions, 2 * rows.length);
      }
    }
    return { ...sums.result(), notes };
  });
}

/** Logits of one position after another. */
class Sums {
  positions = 0;
  #values = 0;
  #difference = 0;
  #other = 0;
  #max = 0;
  #same = 0;
  #scored = 0;
  #nll = 0;
  #otherNll = 0;

  /** @param next the token that came, where there is one */
  add(row: Float32Array, other: Float32Array, next: number | undefined): void {
    let [best, otherBest] = [0, 0];
    for (let i = 0; i < row.length; i++) {
      const difference = row[i]! - other[i]!;
      this.#difference += difference * difference;
      this.#other += other[i]! * other[i]!;
      if (Math.abs(difference) > this.#max) this.#max = Math.abs(difference);
      if (row[i]! > row[best]!) best = i;
      if (other[i]! > other[otherBest]!) otherBest = i;
    }
    this.positions++;
    this.#values += row.length;
    if (best === otherBest) this.#same++;
    if (next === undefined) return;
    this.#scored++;
    this.#nll -= logprob(row, next);
    this.#otherNll -= logprob(other, next);
  }

  result(): Omit<Comparison, 'notes'> {
    const rms = Math.sqrt(this.#other / this.#values);
    return {
      positions: this.positions,
      relativeRms: rms === 0 ? 0 : Math.sqrt(this.#difference / this.#values) / rms,
      maxDifference: this.#max,
      top1: this.#same / this.positions,
      nll: this.#nll / this.#scored,
      otherNll: this.#otherNll / this.#scored,
    };
  }
}

async function tokenized(model: Model, texts: readonly string[], notes: string[]): Promise<number[][]> {
  const out: number[][] = [];
  let room = Math.floor(maxLogits / model.info.vocabSize);
  for (const text of texts) {
    const all = await model.tokenize(text);
    const ids = all.slice(0, Math.min(room, model.info.contextLength));
    if (ids.length < all.length) notes.push(`of a text of ${all.length} tokens the first ${ids.length} are compared`);
    room -= ids.length;
    if (ids.length > 0) out.push(ids);
  }
  if (count(out) - out.length > 0) return out;
  throw new TernlightError('invalid-option', 'compare: the texts have no two tokens, expected something to predict');
}

async function agree(model: Model, texts: readonly string[], ids: readonly number[][]): Promise<boolean> {
  const own = await Promise.all(texts.map((text) => model.tokenize(text)));
  return ids.every((list, t) => list.every((id, i) => own[t]?.[i] === id));
}

function count(lists: readonly (readonly number[])[]): number {
  return lists.reduce((sum, list) => sum + list.length, 0);
}

async function using<T>(load: () => Promise<Model>, use: (model: Model) => Promise<T>): Promise<T> {
  const model = await load();
  try {
    return await use(model);
  } finally {
    await model.dispose();
  }
}
