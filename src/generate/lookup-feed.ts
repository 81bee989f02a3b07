// Feeds a source one token at a time like LogitSource.feed, with a guess of what follows where one may pay. Knows no
// sampler: whoever samples the logits it gives gets those of plain feeding, bit for bit.
import { ROW_TOKENS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import { Lookup, MIN_NGRAM } from './lookup.ts';
import { Costs } from './lookup-costs.ts';
import { Pace } from './lookup-pace.ts';
import type { GenerateOptions, LogitSource, LookupOptions } from './options.ts';
import { show } from './sampling-options.ts';

const DEFAULT_NGRAM = 3;
const MAX_NGRAM = 8;
/** With the token before them they are what the engine takes at once. */
const MAX_DRAFT = ROW_TOKENS - 1;

export interface CheckedLookup {
  readonly ngram: number;
  /** Undefined: as it pays. */
  readonly draft: number | undefined;
}

type DraftSource = LogitSource & Required<Pick<LogitSource, 'feedDraft' | 'accept'>>;

/** Undefined: none. Throws "invalid-option". */
export function checkSpeculation(speculation: GenerateOptions['speculation']): CheckedLookup | undefined {
  if (speculation === undefined || speculation === false) return undefined;
  const isObject = typeof speculation === 'object' && speculation !== null && !Array.isArray(speculation);
  if (speculation !== 'lookup' && !isObject)
    throw new TernlightError(
      'invalid-option',
      `options: speculation is ${show(speculation)}, expected "lookup", { ngram, draft } or false`,
    );
  const said: LookupOptions = isObject ? speculation : {};
  return {
    ngram: integer('ngram', said.ngram ?? DEFAULT_NGRAM, MIN_NGRAM, MAX_NGRAM),
    draft: said.draft === undefined ? undefined : integer('draft', said.draft, 1, MAX_DRAFT),
  };
}

function integer(name: keyof LookupOptions, value: number, min: number, max: number): number {
  if (Number.isInteger(value) && value >= min && value <= max) return value;
  throw new TernlightError(
    'invalid-option',
    `options: speculation.${name} is ${show(value)}, expected an integer from ${min} to ${max}`,
  );
}

/** Whether guesses can be tried and taken back. */
export function canDraft(source: LogitSource): source is DraftSource {
  return !source.recurrent && source.feedDraft !== undefined && source.accept !== undefined;
}

/** What drafts cost, by engine: a short answer has not the time to find out. */
const costsOf = new WeakMap<object, Costs>();

export class LookupFeed {
  readonly #source: DraftSource;
  readonly #length: number | undefined;
  readonly #lookup: Lookup;
  readonly #costs: Costs;
  readonly #pace: Pace;
  /** Guessed tokens that are computed and not asked for yet, and the logits after each. */
  #ahead: { readonly id: number; readonly logits: Float32Array }[] = [];
  #draftedTokens = 0;
  #acceptedTokens = 0;

  /** @param promptIds the text before the first token fed */
  constructor(source: DraftSource, { ngram, draft }: CheckedLookup, promptIds: readonly number[]) {
    this.#source = source;
    this.#length = draft;
    this.#lookup = new Lookup(ngram, promptIds);
    const engine = source.engine ?? source;
    this.#costs = costsOf.get(engine) ?? new Costs();
    costsOf.set(engine, this.#costs);
    this.#pace = new Pace(this.#costs);
  }

  get draftedTokens(): number {
    return this.#draftedTokens;
  }

  get acceptedTokens(): number {
    return this.#acceptedTokens;
  }

  /**
   * The logits after `id`, valid until the next call.
   * @param useful how many of the tokens after it will be fed at most: no more are guessed
   * @param top as LogitSource.feed has it
   */
  async feed(id: number, useful: number, signal?: AbortSignal, top?: number): Promise<Float32Array> {
    // As a source does, also where nothing is left to compute.
    signal?.throwIfAborted();
    this.#learn(id);
    const next = this.#ahead.shift();
    if (next?.id === id) {
      this.#source.accept();
      this.#acceptedTokens++;
      return next.logits;
    }
    this.#ahead = [];
    const most = Math.min(useful, MAX_DRAFT);
    const length =
      this.#length === undefined ? this.#pace.choose(this.#lookup.matched, most) : Math.min(this.#length, most);
    const draft = this.#lookup.draft(length);
    const started = performance.now();
    const logits = await this.#compute(id, draft, signal, top);
    this.#costs.took(draft.length, performance.now() - started);
    return logits;
  }

  #learn(id: number): void {
    const { expected, matched } = this.#lookup;
    if (expected !== undefined) this.#pace.saw(matched, expected === id);
    this.#lookup.push(id);
  }

  async #compute(
    id: number,
    draft: readonly number[],
    signal: AbortSignal | undefined,
    top: number | undefined,
  ): Promise<Float32Array> {
    if (draft.length === 0) return this.#source.feed([id], signal, top);
    const [first, ...others] = await this.#source.feedDraft(id, draft, signal, top);
    this.#draftedTokens += draft.length;
    this.#ahead = others.map((logits, i) => ({ id: draft[i]!, logits }));
    return first!;
  }
}
