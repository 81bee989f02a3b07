// The words in which a generation is asked for and answered. Types and defaults only.

/** What is not given is what the model's makers recommend (in the file, or docs/CHAT.md), else the default told here. */
export interface SamplingOptions {
  /** 0 is greedy: the likeliest token, the lowest id on ties. Default 0.7. */
  temperature?: number;
  /** Keep the k likeliest tokens; 0 keeps all. Default 40. */
  topK?: number;
  /** Keep the smallest set of tokens whose probabilities sum to p; the token that crosses is kept. Default 0.95. */
  topP?: number;
  /** Drop tokens less likely than minP times the likeliest. Default 0. */
  minP?: number;
  /** Divides the logits > 0 of tokens seen in the window, multiplies those < 0. 1 is off, the default. */
  repetitionPenalty?: number;
  /** Subtracted once from the logit of each token seen in the window. Default 0. */
  presencePenalty?: number;
  /** Subtracted for each occurrence in the window. Default 0. */
  frequencyPenalty?: number;
  /** How many of the last tokens, prompt included, the penalties look at. Default 64. */
  penaltyWindow?: number;
  /** 0 .. 2^53-1. The same seed gives the same text on every runtime. Default: a random one, told in the summary. */
  seed?: number;
}

export interface GenerateOptions extends SamplingOptions {
  /** Tokens to generate at most. Default: what the context has room for. */
  maxTokens?: number;
  /** Generation ends before the first of these texts (256 of 1024 characters at most); it is not part of the output. */
  stop?: string | readonly string[];
  /** Ids that end a generation beside the model's own. */
  stopTokens?: readonly number[];
  /** Special tokens in the prompt text are parsed. Default false: text of strangers stays text. */
  special?: boolean;
  /** Pieces carry the natural logarithm of their token's probability (temperature 1, no penalties). Default false. */
  logprobs?: boolean;
  /**
   * "lookup": where the last tokens occurred before, in the prompt or the answer, those that followed then are computed
   * together, and kept as far as the sampler picks them. The same text as without, sooner where texts are copied or
   * repeated. Recurrent models ignore it. Default false.
   */
  speculation?: 'lookup' | LookupOptions | false;
  /** Ends the generation with stop reason "aborted". */
  signal?: AbortSignal;
}

export interface LookupOptions {
  /** How many last tokens must have occurred before, 2 .. 8; else fewer are looked for, down to 2. Default 3. */
  ngram?: number;
  /** How many tokens are guessed each time, 1 .. 15. Default: as many as have paid so far, none where none do. */
  draft?: number;
}

/** A piece of text: never half a character. Tokens that complete no character yet have an empty text. */
export interface Piece {
  text: string;
  id: number;
  logprob?: number;
}

/** Why a generation ended: an end-of-text token, a stop text or token, the token limit or context, the signal. */
export type StopReason = 'eos' | 'stop' | 'length' | 'aborted';

export interface Timings {
  prefillMs: number;
  decodeMs: number;
  /** Prompt tokens computed (not taken from the cache) per second. */
  prefillTokensPerSecond: number;
  decodeTokensPerSecond: number;
}

export interface Summary {
  /** The generated part only. */
  text: string;
  ids: number[];
  promptTokens: number;
  /** Of the prompt's tokens, those that were still in the KV cache. */
  cachedTokens: number;
  stop: StopReason;
  seed: number;
  /** Tokens that were guessed and computed, and those of them that the sampler picked; 0 without speculation. */
  draftedTokens?: number;
  acceptedTokens?: number;
  timings: Timings;
}

/**
 * A running generation. `for await (const piece of generation)`, or `await generation.summary()` to run it to its end;
 * leaving the loop cancels. It can be iterated once.
 */
export interface Generation extends AsyncIterable<Piece> {
  /** Runs what is left of the generation and gives its summary. */
  summary(): Promise<Summary>;
}

export interface ChatMessage {
  role: 'system' | 'user' | 'assistant' | (string & {});
  content: string;
}

export interface ChatOptions extends GenerateOptions {
  /** Further variables for the chat template, such as enable_thinking. */
  templateVariables?: Readonly<Record<string, unknown>>;
  /**
   * How the conversation is written: the name of a form ("chatml": docs/CHAT.md), "file" for the file's own template,
   * or Jinja text of at most 65536 characters. Default: the file's own, except where it is known to be wrong.
   */
  template?: string;
}

/** What a generation needs of a session: ids in, logits out. Implemented by session.ts and by tests. */
export interface LogitSource {
  readonly vocabSize: number;
  readonly contextLength: number;
  /** The tokens whose keys and values are in the cache. */
  readonly ids: readonly number[];
  /**
   * Keeps the first `lengthTokens` positions and forgets the others; gives how many are kept: fewer, where a recurrent
   * model's state cannot be cut back.
   */
  truncate(lengthTokens: number): number;
  /**
   * Computes `ids` after those already there; gives the logits [vocabSize] after the last one, valid until the next
   * call. Throws the signal's reason when aborted, with `ids` of this object telling how far it came.
   * top: so many of the greatest logits are asked for; the others may be estimates, all below those. 0 or unset: all.
   */
  feed(ids: readonly number[], signal?: AbortSignal, top?: number): Promise<Float32Array>;
  /** The state cannot be cut back by a few tokens: nothing is ever drafted. */
  readonly recurrent?: boolean;
  /**
   * Computes `id` and a guess of what follows, at most maxDraft tokens; gives the logits after each, valid until the
   * next feed. `ids` grows by `id` only, and by the guess's next token with each call of `accept`. Without these two
   * nothing is drafted.
   */
  feedDraft?(
    id: number,
    draft: readonly number[],
    signal?: AbortSignal,
    top?: number,
  ): Promise<readonly Float32Array[]>;
  accept?(): void;
  /** What computes: sources that share it have the same speed. */
  readonly engine?: object;
}
