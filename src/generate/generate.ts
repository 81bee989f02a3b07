// The loop: feed, sample, decode, stop. Knows no model, only a source of logits; platform-free.
import { TernlightError } from '../errors.ts';
import { nextTask } from '../runtime/next-task.ts';
import type { StreamDecoder, Tokenizer } from '../tokenizer/types.ts';
import { type CheckedLookup, canDraft, checkSpeculation, LookupFeed } from './lookup-feed.ts';
import type { GenerateOptions, Generation, LogitSource, Piece, StopReason, Summary } from './options.ts';
import { logprob, Sampler } from './sampler.ts';
import { show } from './sampling-options.ts';
import { StopMatcher } from './stops.ts';

/** How long a generation computes before timers, aborts and other sessions get a turn. */
const TURN_MS = 16;

/**
 * Continues `promptIds`. Nothing happens before the generation is iterated or its summary asked for; then it throws
 * "invalid-option", and "context-full" if the prompt is longer than the context, before anything is computed.
 *
 * The pieces' texts, joined, are the summary's text. Its `ids` are all sampled ones but the token that ended the
 * generation, those of a stop text included. Text that was held back because it could have been the beginning of a
 * stop text, or the end of an unfinished character, comes in a last piece if the token after it is an end token or
 * the generation is aborted: the piece has that token's id, or again the last one's.
 */
export function generate(
  source: LogitSource,
  tokenizer: Tokenizer,
  promptIds: readonly number[],
  options: GenerateOptions = {},
): Generation {
  return new Run(source, tokenizer, promptIds, options);
}

class Run implements Generation {
  readonly #source: LogitSource;
  readonly #tokenizer: Tokenizer;
  readonly #promptIds: readonly number[];
  readonly #options: GenerateOptions;
  readonly #pieces: AsyncGenerator<Piece>;
  readonly #ids: number[] = [];
  #iterated = false;
  #error: unknown;
  /** Guesses what follows; undefined: it is not asked for, or not yet needed. */
  #lookup: LookupFeed | undefined;
  #text = '';
  #seed = 0;
  #stop: StopReason | undefined;
  #cachedTokens = 0;
  #prefilledTokens = 0;
  #decodedTokens = 0;
  #prefillMs = 0;
  #decodeMs = 0;

  constructor(source: LogitSource, tokenizer: Tokenizer, promptIds: readonly number[], options: GenerateOptions) {
    this.#source = source;
    this.#tokenizer = tokenizer;
    // A copy: it may be the session's own list, which shrinks when the cache is cut.
    this.#promptIds = [...promptIds];
    this.#options = options;
    this.#pieces = this.#run();
  }

  [Symbol.asyncIterator](): AsyncIterator<Piece> {
    if (this.#iterated)
      throw new TernlightError('invalid-option', 'generation: it can be iterated once; call generate() again');
    this.#iterated = true;
    return this.#pieces;
  }

  async summary(): Promise<Summary> {
    this.#iterated = true;
    while (!(await this.#pieces.next()).done);
    if (this.#error !== undefined) throw this.#error;
    return {
      text: this.#text,
      ids: [...this.#ids],
      promptTokens: this.#promptIds.length,
      cachedTokens: this.#cachedTokens,
      // Unset: the loop over the pieces was left.
      stop: this.#stop ?? 'aborted',
      seed: this.#seed,
      draftedTokens: this.#lookup?.draftedTokens ?? 0,
      acceptedTokens: this.#lookup?.acceptedTokens ?? 0,
      timings: {
        prefillMs: this.#prefillMs,
        decodeMs: this.#decodeMs,
        prefillTokensPerSecond: perSecond(this.#prefilledTokens, this.#prefillMs),
        decodeTokensPerSecond: perSecond(this.#decodedTokens, this.#decodeMs),
      },
    };
  }

  async *#run(): AsyncGenerator<Piece> {
    try {
      yield* this.#generate();
    } catch (error) {
      this.#error = error;
      throw error;
    }
  }

  async *#generate(): AsyncGenerator<Piece> {
    const { signal } = this.#options;
    const limit = this.#checkLength();
    const sampler = new Sampler(this.#options, Math.min(this.#tokenizer.vocabSize, this.#source.vocabSize));
    const stops = new StopMatcher(this.#options.stop);
    const stopTokens = checkStopTokens(this.#options.stopTokens);
    const speculation = checkSpeculation(this.#options.speculation);
    this.#seed = sampler.options.seed;
    // A prompt without text: the answer's first word opens the text.
    const atStart = this.#promptIds.every((id) => this.#tokenizer.isControl(id));
    const decoder = this.#tokenizer.decoder({ atStart });
    const history = [...this.#promptIds];

    const top = this.#options.logprobs ? 0 : sampler.decisive(this.#source.vocabSize);

    let logits = await this.#prefill(signal, top);
    let turn = performance.now();
    while (logits && this.#ids.length < limit) {
      if (performance.now() - turn > TURN_MS) {
        await nextTask();
        turn = performance.now();
      }
      if (signal?.aborted) break;
      const started = performance.now();
      const id = sampler.sample(logits, history);
      const piece: Piece = { text: '', id };
      if (this.#options.logprobs) piece.logprob = logprob(logits, id);
      if (this.#tokenizer.stopIds.has(id) || stopTokens.has(id)) {
        this.#stop = this.#tokenizer.stopIds.has(id) ? 'eos' : 'stop';
        piece.text = this.#flush(decoder, stops);
        if (piece.text !== '') yield piece;
        return;
      }
      this.#ids.push(id);
      history.push(id);
      piece.text = stops.push(decoder.push(id));
      this.#text += piece.text;
      if (stops.stopped) this.#stop = 'stop';
      else if (this.#ids.length === limit) {
        this.#stop = 'length';
        piece.text += this.#flush(decoder, stops);
        if (stops.stopped) this.#stop = 'stop';
      }
      this.#decodeMs += performance.now() - started;
      yield piece;
      if (this.#stop) return;
      const resumed = performance.now();
      // The last token that may come is sampled only.
      logits = await this.#feedNext(id, limit - this.#ids.length - 1, speculation, signal, top);
      this.#decodeMs += performance.now() - resumed;
      if (logits) this.#decodedTokens++;
    }
    if (logits && this.#ids.length >= limit) {
      this.#stop = 'length';
      return;
    }
    this.#stop = 'aborted';
    const rest = this.#flush(decoder, stops);
    if (rest !== '') yield { text: rest, id: history.at(-1)! };
  }

  /** How many tokens may be generated. */
  #checkLength(): number {
    const { length } = this.#promptIds;
    const { contextLength, vocabSize } = this.#source;
    if (length === 0) throw new TernlightError('invalid-option', 'prompt: it has no tokens, expected one at least');
    const wrong = this.#promptIds.find((id) => !(Number.isInteger(id) && id >= 0 && id < vocabSize));
    if (wrong !== undefined)
      throw new TernlightError(
        'invalid-option',
        `prompt: it has the id ${show(wrong)}, expected integers from 0 to ${vocabSize - 1}`,
      );
    if (length > contextLength)
      throw new TernlightError(
        'context-full',
        `prompt: it has ${length} tokens, expected at most ${contextLength}, the context; shorten it, or load the model with a larger contextLength`,
      );
    const { maxTokens = Infinity } = this.#options;
    if (maxTokens !== Infinity && !(Number.isSafeInteger(maxTokens) && maxTokens >= 0))
      throw new TernlightError('invalid-option', `options: maxTokens is ${show(maxTokens)}, expected an integer >= 0`);
    return Math.min(maxTokens, contextLength - length);
  }

  /** Computes what is not in the cache yet: the last token of the prompt at least, for its logits. */
  async #prefill(signal: AbortSignal | undefined, top: number): Promise<Float32Array | undefined> {
    if (signal?.aborted) return undefined;
    const started = performance.now();
    const { ids } = this.#source;
    let shared = 0;
    while (shared < this.#promptIds.length - 1 && ids[shared] === this.#promptIds[shared]) shared++;
    const kept = this.#source.truncate(shared);
    this.#cachedTokens = kept;
    const logits = await this.#feed(this.#promptIds.slice(kept), signal, top);
    this.#prefillMs = performance.now() - started;
    this.#prefilledTokens = this.#source.ids.length - kept;
    return logits;
  }

  async #feed(ids: readonly number[], signal: AbortSignal | undefined, top: number): Promise<Float32Array | undefined> {
    return this.#unlessAborted(() => this.#source.feed(ids, signal, top), signal);
  }

  /** @param useful how many of the tokens after `id` may have to be fed; top: as LogitSource.feed has it */
  async #feedNext(
    id: number,
    useful: number,
    speculation: CheckedLookup | undefined,
    signal: AbortSignal | undefined,
    top: number,
  ): Promise<Float32Array | undefined> {
    const source = this.#source;
    // Not before a token is fed: many generations end with the first.
    if (speculation && canDraft(source)) this.#lookup ??= new LookupFeed(source, speculation, this.#promptIds);
    const lookup = this.#lookup;
    return lookup
      ? this.#unlessAborted(() => lookup.feed(id, useful, signal, top), signal)
      : this.#feed([id], signal, top);
  }

  /** Undefined if the signal ended it. */
  async #unlessAborted(
    feed: () => Promise<Float32Array>,
    signal: AbortSignal | undefined,
  ): Promise<Float32Array | undefined> {
    try {
      return await feed();
    } catch (error) {
      if (signal?.aborted) return undefined;
      throw error;
    }
  }

  #flush(decoder: StreamDecoder, stops: StopMatcher): string {
    const rest = stops.push(decoder.end()) + stops.end();
    this.#text += rest;
    return rest;
  }
}

function checkStopTokens(stopTokens: readonly number[] | undefined): ReadonlySet<number> {
  if (stopTokens !== undefined && !(Array.isArray(stopTokens) && stopTokens.every(Number.isSafeInteger)))
    throw new TernlightError('invalid-option', `options: stopTokens is ${show(stopTokens)}, expected an array of ids`);
  return new Set(stopTokens);
}

function perSecond(tokens: number, ms: number): number {
  return ms > 0 ? (tokens * 1000) / ms : 0;
}
