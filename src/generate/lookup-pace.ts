// How many tokens to draft: what drafts would have hit so far in this text, against what they cost. Knows no tokens.
import { Costs, LONGEST_ROWS, TILE_DRAFT } from './lookup-costs.ts';

/** Least length of match, and how often the next token was taken to be the expected one until some were seen. */
const CLASSES = [
  { matched: 2, assumed: 0.3 },
  { matched: 3, assumed: 0.5 },
  { matched: 4, assumed: 0.65 },
  { matched: 6, assumed: 0.8 },
  { matched: 10, assumed: 0.9 },
];
/** What is assumed of a class counts as so many tokens, and what was seen as so many at most: texts change. */
const ASSUMED_TOKENS = 4;
const SEEN_TOKENS = 20;
/** A draft must promise this much more than single tokens: estimates are noisy. */
const MARGIN = 1.05;

/**
 * Every token tells whether it was the expected one, drafted or not: text that does not repeat itself is known by that
 * alone, and never costs a draft.
 */
export class Pace {
  readonly #costs: Costs;
  readonly #hits = CLASSES.map(({ assumed }) => ({ share: assumed, tokens: ASSUMED_TOKENS }));

  constructor(costs = new Costs()) {
    this.#costs = costs;
  }

  /** After each token for which there was an expected one. */
  saw(matched: number, hit: boolean): void {
    const hits = this.#hits[classOf(matched)]!;
    hits.tokens = Math.min(hits.tokens + 1, SEEN_TOKENS);
    hits.share += ((hit ? 1 : 0) - hits.share) / hits.tokens;
  }

  /** The length that promises most tokens in a time, at most `most`; 0 where single tokens do. */
  choose(matched: number, most: number): number {
    if (matched === 0 || this.#costs.wantsSingle) return 0;
    let best = 0;
    let bestRate = MARGIN;
    let tokens = 1;
    let reached = 1;
    for (let length = 1; length <= Math.min(most, TILE_DRAFT); length++) {
      reached *= this.#hits[classOf(matched + length - 1)]!.share;
      tokens += reached;
      // A tile costs the same however full it is.
      if (length > LONGEST_ROWS && length < TILE_DRAFT) continue;
      const rate = tokens / this.#costs.of(length);
      if (rate <= bestRate) continue;
      best = length;
      bestRate = rate;
    }
    return best;
  }
}

function classOf(matched: number): number {
  let i = CLASSES.length - 1;
  while (i > 0 && matched < CLASSES[i]!.matched) i--;
  return i;
}
