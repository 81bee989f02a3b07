// What drafts cost on this machine, in single tokens. Knows neither tokens nor clocks; it is told.
import { TILE_TOKENS } from '../../assembly/layout.ts';

/** Drafts up to this length go through the row kernels; the longest one fills a tile. */
export const LONGEST_ROWS = 8;
export const TILE_DRAFT = TILE_TOKENS - 1;
/**
 * What is assumed until drafts were timed: each token of a short one, and a whole tile. Both are cheaper than most
 * engines have it (docs/LOG.md): what is never tried is never known.
 */
const ASSUMED_ROW = 0.35;
const ASSUMED_TILE = 5;
/** The least of the last so many times counts, once there are enough: other programs only ever make them longer. */
const TIMES = 7;
const ENOUGH = 3;
/** Single tokens after which a draft's cost is forgotten, to be tried again. */
const REMEMBERED = 512;
/** A single token is timed at least every so many drafts. */
const DRAFTS_PER_SINGLE = 16;

export class Costs {
  readonly #row = new Estimate(ASSUMED_ROW);
  readonly #tile = new Estimate(ASSUMED_TILE);
  readonly #singleMs = new Estimate(0);
  #draftsSinceSingle = 0;

  /** Whether a single token should be timed now. */
  get wantsSingle(): boolean {
    return this.#singleMs.value === 0 || this.#draftsSinceSingle >= DRAFTS_PER_SINGLE;
  }

  /** How long a token and the `drafted` ones after it took. */
  took(drafted: number, ms: number): void {
    if (drafted === 0) {
      this.#draftsSinceSingle = 0;
      this.#singleMs.observe(ms);
      this.#row.pass();
      this.#tile.pass();
      return;
    }
    this.#draftsSinceSingle++;
    const singleMs = this.#singleMs.value;
    if (singleMs === 0) return;
    if (drafted <= LONGEST_ROWS) this.#row.observe((ms / singleMs - 1) / drafted);
    else this.#tile.observe(ms / singleMs);
  }

  /** Of a token and the `drafted` ones after it. */
  of(drafted: number): number {
    return drafted <= LONGEST_ROWS ? 1 + drafted * this.#row.value : this.#tile.value;
  }
}

class Estimate {
  readonly #assumed: number;
  readonly #seen: number[] = [];
  #value: number;
  #age = 0;

  constructor(assumed: number) {
    this.#assumed = assumed;
    this.#value = assumed;
  }

  get value(): number {
    return this.#value;
  }

  observe(value: number): void {
    this.#age = 0;
    if (this.#seen.push(value) > TIMES) this.#seen.shift();
    if (this.#seen.length >= ENOUGH) this.#value = Math.min(...this.#seen);
  }

  /** A single token was fed instead. */
  pass(): void {
    if (++this.#age <= REMEMBERED) return;
    this.#seen.length = 0;
    this.#value = this.#assumed;
  }
}
