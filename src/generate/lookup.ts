// Where the last tokens of a text occurred before, and what followed then. Knows tokens as numbers only.

/** Matches are measured up to this length when they are found. */
const LONGEST_MATCH = 16;
/** The shortest run of tokens that says anything about the next one. */
export const MIN_NGRAM = 2;

/**
 * Follows a text and, where its end repeats an earlier place, that place: the latest one after the longest n-gram. A
 * token costs the same however long the text is.
 */
export class Lookup {
  readonly #ngram: number;
  /** For n = MIN_NGRAM .. ngram: hash of an n-gram -> index of the token after its last occurrence. */
  readonly #next: Map<number, number>[];
  readonly #ids: number[] = [];
  /** Index of the token that should come next; -1: the end occurs nowhere else. */
  #at = -1;
  #matched = 0;

  /** @param ids the text so far */
  constructor(ngram: number, ids: readonly number[]) {
    this.#ngram = ngram;
    this.#next = Array.from({ length: ngram - MIN_NGRAM + 1 }, () => new Map());
    for (const id of ids) this.#append(id);
    this.#find();
  }

  /** How many tokens agree before the place that is followed (a lower bound from 16 on); 0 without one. */
  get matched(): number {
    return this.#matched;
  }

  /** The token that should come next; undefined without a place. */
  get expected(): number | undefined {
    return this.#ids[this.#at];
  }

  push(id: number): void {
    const hit = this.expected === id;
    this.#append(id);
    if (hit) {
      this.#at++;
      this.#matched++;
    } else this.#find();
  }

  /** What follows if the text goes on as at the earlier place; past its own end it repeats itself. */
  draft(count: number): number[] {
    const draft: number[] = [];
    if (this.#at < 0) return draft;
    const known = this.#ids.length - this.#at;
    for (let i = 0; i < count; i++) draft.push(i < known ? this.#ids[this.#at + i]! : draft[i - known]!);
    return draft;
  }

  /** An n-gram enters the index when the token after it is known, so that the text's end never finds itself. */
  #append(id: number): void {
    const end = this.#ids.length;
    this.#next.forEach((next, i) => {
      if (end >= MIN_NGRAM + i) next.set(this.#hash(MIN_NGRAM + i), end);
    });
    this.#ids.push(id);
  }

  #find(): void {
    this.#at = -1;
    this.#matched = 0;
    for (let n = Math.min(this.#ngram, this.#ids.length); n >= MIN_NGRAM; n--) {
      const at = this.#next[n - MIN_NGRAM]!.get(this.#hash(n));
      if (at === undefined) continue;
      const matched = this.#agreeing(at);
      // Fewer: two n-grams with one hash.
      if (matched < n) continue;
      this.#at = at;
      this.#matched = matched;
      return;
    }
  }

  /** How many tokens before index `at` are those at the text's end. */
  #agreeing(at: number): number {
    const end = this.#ids.length;
    let n = 0;
    while (n < LONGEST_MATCH && n < at && this.#ids[at - 1 - n] === this.#ids[end - 1 - n]) n++;
    return n;
  }

  /** Of the last n tokens; 30 bits, which every engine holds without a box. */
  #hash(n: number): number {
    let hash = 0;
    for (let i = this.#ids.length - n; i < this.#ids.length; i++) {
      hash = Math.imul(hash ^ this.#ids[i]!, 0x9e3779b1);
      hash ^= hash >>> 15;
    }
    return hash >>> 2;
  }
}
