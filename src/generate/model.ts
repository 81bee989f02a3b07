// A loaded model as its users see it, and the implementation that runs in this thread.
import { TernlightError } from '../errors.ts';
import type { Metadata } from '../formats/types.ts';
import { extras } from '../load-extras.ts';
import type { KvType, RowKernel } from '../plan/types.ts';
import type { Engine } from '../runtime/engine.ts';
import type { MemoryPlan } from '../runtime/memory-plan.ts';
import type { HeadType } from '../runtime/packing.ts';
import type { Fed, Profile, ProfileOptions } from '../runtime/profile.ts';
import type { Variant } from '../runtime/variant.ts';
import type { EncodeOptions, Tokenizer } from '../tokenizer/types.ts';
import { type ChatKeys, chatKeys, chatPrompt } from './chat.ts';
import { chatNotes } from './chat-form-choice.ts';
import { chatFamily } from './chat-form-families.ts';
import { generate } from './generate.ts';
import { LeasedGeneration } from './lease.ts';
import type { ChatMessage, ChatOptions, GenerateOptions, Generation, SamplingOptions } from './options.ts';
import { type Perplexity, perplexity } from './perplexity.ts';
import { DEFAULT_TOP_K, fileSampling, withDefaults } from './sampling-options.ts';
import { EngineSession } from './session.ts';
import { withStops } from './stops.ts';

export interface ModelInfo {
  name: string;
  /** "GGUF v3" */
  format: string;
  architecture: string;
  parameters: number;
  ternaryParameters: number;
  /** Tokens that a session holds, and that the model was trained with. */
  contextLength: number;
  trainedContextLength: number;
  vocabSize: number;
  layers: number;
  dim: number;
  /** "Node 24.1.0" */
  runtime: string;
  build: Variant;
  /** Which kernel multiplies single tokens, and which a prompt. */
  kernels: { decode: RowKernel; prefill: string };
  threads: number;
  /** Why there are not more threads. */
  threadsNote: string | undefined;
  kv: KvType;
  head: HeadType;
  memory: MemoryPlan;
  /** What is unusual about the file or the options. */
  notes: string[];
  loadMs: number;
}

/** A conversation with a cache of its own. */
export interface Session {
  /** The tokens in the cache. */
  readonly ids: readonly number[];
  readonly contextLength: number;
  /** Continues `prompt`. The tokens it shares with what is in the cache are not computed again. */
  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation;
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation;
  /**
   * Computes `ids` after those in the cache; the logits [vocabSize] after the last, valid until the next call.
   * top: so many of the greatest are asked for, an integer >= 0; with the head "fast" the others are estimates below
   * those, which is what makes it fast. Default 0: all are exact. Throws "invalid-option".
   */
  feed(ids: readonly number[], signal?: AbortSignal, top?: number): Promise<Float32Array>;
  /** Keeps the first `lengthTokens` tokens. */
  truncate(lengthTokens: number): Promise<void>;
  dispose(): Promise<void>;
}

export interface Model {
  readonly info: ModelInfo;
  /** Continues `prompt`: text, or ids as they are (no beginning-of-text token is added to ids). */
  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation;
  /** Answers the last message in the model's chat form (docs/CHAT.md); throws "template" where none is known. */
  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation;
  tokenize(text: string, options?: EncodeOptions): Promise<number[]>;
  detokenize(ids: readonly number[], options?: { special?: boolean }): Promise<string>;
  /** Opens a session; `generate` and `chat` of the model itself use sessions of their own. */
  session(): Promise<Session>;
  /** The logits [vocabSize] after each token from index `from` on (default 0), in a fresh context. */
  logits(ids: readonly number[], options?: { from?: number; signal?: AbortSignal }): AsyncIterable<Float32Array>;
  /** By llama.cpp's rule: docs/FORMATS.md. Default context: 512 tokens. */
  perplexity(text: string, options?: PerplexityOptions): Promise<Perplexity>;
  dispose(): Promise<void>;
}

export interface PerplexityOptions {
  contextLength?: number;
  signal?: AbortSignal;
  onProgress?: (done: number, total: number) => void;
}

export class LocalModel implements Model {
  readonly info: ModelInfo;
  /** Undefined once disposed: a model that is still referred to holds no memory. */
  #engine: Engine | undefined;
  readonly #tokenizer: Tokenizer;
  readonly #chat: ChatKeys;
  readonly #sampling: SamplingOptions;
  /** Sessions of generate() and chat() that wait for a prompt with the same beginning; the last used is last. */
  readonly #idle: EngineSession[] = [];

  constructor(engine: Engine, tokenizer: Tokenizer, metadata: Metadata, info: ModelInfo) {
    this.#engine = engine;
    this.info = info;
    this.#tokenizer = tokenizer;
    this.#chat = chatKeys(metadata);
    this.#sampling = { ...chatFamily(tokenizer, this.#chat)?.family.sampling, ...fileSampling(metadata) };
    info.notes.push(...chatNotes(tokenizer, this.#chat));
  }

  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    const ids = this.promptIds(prompt, options);
    return new LeasedGeneration(() => {
      const session = this.#take(ids);
      return { generation: this.run(session, ids, options), release: () => this.#release(session) };
    });
  }

  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const { ids, ends } = this.chatPrompt(messages, options);
    return this.generate(ids, ends);
  }

  promptIds(prompt: string | readonly number[], options: GenerateOptions): readonly number[] {
    return typeof prompt === 'string' ? this.#tokenizer.encode(prompt, { special: options.special }) : prompt;
  }

  /** The prompt, and the options with what ends an answer in its form. */
  chatPrompt(messages: readonly ChatMessage[], options: ChatOptions): { ids: number[]; ends: ChatOptions } {
    const { templateVariables: variables, template } = options;
    const prompt = chatPrompt(this.#tokenizer, this.#chat, messages, { variables, template });
    return { ids: prompt.ids, ends: withStops(options, prompt) };
  }

  /** A generation in a session that is known to be free; what the makers recommend holds where the user says nothing. */
  run(session: EngineSession, ids: readonly number[], options: GenerateOptions): Generation {
    return generate(session, this.#tokenizer, ids, withDefaults(options, this.#sampling));
  }

  async tokenize(text: string, options?: EncodeOptions): Promise<number[]> {
    this.#live();
    return this.#tokenizer.encode(text, options);
  }

  async detokenize(ids: readonly number[], options?: { special?: boolean }): Promise<string> {
    this.#live();
    return this.#tokenizer.decode(ids, options);
  }

  async session(): Promise<Session> {
    return new LocalSession(this, this.#open());
  }

  async *logits(
    ids: readonly number[],
    options: { from?: number; signal?: AbortSignal } = {},
  ): AsyncGenerator<Float32Array> {
    const session = this.#open();
    try {
      yield* session.feedAll(ids, options.from ?? 0, options.signal);
    } finally {
      session.dispose();
    }
  }

  async perplexity(text: string, options: PerplexityOptions = {}): Promise<Perplexity> {
    const ctx = options.contextLength ?? Math.min(512, this.info.contextLength);
    if (ctx > this.info.contextLength)
      throw new TernlightError(
        'invalid-option',
        `perplexity: contextLength is ${ctx}, expected at most the model's ${this.info.contextLength}`,
      );
    const { addsBos, bosId } = this.#tokenizer;
    const ids = this.#tokenizer.encode(text);
    const session = this.#open();
    try {
      const rows = (chunk: readonly number[], from: number) => {
        session.truncate(0);
        return session.feedAll(chunk, from, options.signal);
      };
      return await perplexity(ids, { ctx, addsBos, bosId }, rows, options.onProgress, options.signal);
    } finally {
      session.dispose();
    }
  }

  /** Where the time goes, stage by stage (docs/PROFILE.md). Not part of Model: the engine has to run in this thread. */
  async profile(options: ProfileOptions): Promise<Profile> {
    const session = this.#open();
    try {
      const asGenerated: Fed = {
        feed: (ids, signal) => session.feed(ids, signal, DEFAULT_TOP_K),
        truncate: (lengthTokens) => session.truncate(lengthTokens),
      };
      return await (await extras()).profileEngine(this.#live(), asGenerated, options);
    } finally {
      session.dispose();
    }
  }

  async dispose(): Promise<void> {
    this.#idle.length = 0;
    this.#engine?.dispose();
    this.#engine = undefined;
  }

  #release(session: EngineSession): void {
    if (this.#engine) this.#idle.push(session);
  }

  #live(): Engine {
    if (!this.#engine) throw new TernlightError('disposed', 'model: it was disposed');
    return this.#engine;
  }

  /** The idle session that shares the longest beginning with `ids`; a new one where none shares more than its first token. */
  #take(ids: readonly number[]): EngineSession {
    const shared = this.#idle.map((session) => commonPrefix(session.ids, ids));
    const best = shared.indexOf(Math.max(...shared));
    if (best >= 0 && shared[best]! > 1) return this.#idle.splice(best, 1)[0]!;
    // Reuse rather than grow: an idle session costs memory that a phone may not have.
    return this.#idle.shift() ?? this.#open();
  }

  #open(): EngineSession {
    try {
      return new EngineSession(this.#live());
    } catch (error) {
      // An idle session is only a cache: it gives way.
      const idle = this.#idle.shift();
      if (!idle) throw error;
      idle.dispose();
      return new EngineSession(this.#live());
    }
  }
}

function commonPrefix(a: readonly number[], b: readonly number[]): number {
  let n = 0;
  while (n < a.length && n < b.length && a[n] === b[n]) n++;
  return n;
}

class LocalSession implements Session {
  readonly #model: LocalModel;
  readonly #session: EngineSession;
  #busy = false;

  constructor(model: LocalModel, session: EngineSession) {
    this.#model = model;
    this.#session = session;
  }

  get ids(): readonly number[] {
    return this.#session.ids;
  }

  get contextLength(): number {
    return this.#session.contextLength;
  }

  generate(prompt: string | readonly number[], options: GenerateOptions = {}): Generation {
    const ids = this.#model.promptIds(prompt, options);
    return new LeasedGeneration(() => {
      const release = this.#begin();
      return { generation: this.#model.run(this.#session, ids, options), release };
    });
  }

  chat(messages: readonly ChatMessage[], options: ChatOptions = {}): Generation {
    const { ids, ends } = this.#model.chatPrompt(messages, options);
    return this.generate(ids, ends);
  }

  async feed(ids: readonly number[], signal?: AbortSignal, top?: number): Promise<Float32Array> {
    if (top !== undefined && !(Number.isSafeInteger(top) && top >= 0))
      throw new TernlightError('invalid-option', `session: top is ${String(top)}, expected an integer >= 0`);
    const release = this.#begin();
    try {
      return await this.#session.feed(ids, signal, top && Math.min(top, this.#session.vocabSize));
    } finally {
      release();
    }
  }

  async truncate(lengthTokens: number): Promise<void> {
    const wanted = this.#session.ids.slice(0, lengthTokens);
    const release = this.#begin();
    try {
      const kept = this.#session.truncate(lengthTokens);
      if (kept < wanted.length) await this.#session.feed(wanted.slice(kept));
    } finally {
      release();
    }
  }

  async dispose(): Promise<void> {
    this.#session.dispose();
  }

  /** One thing at a time: two generations would write into the same cache. */
  #begin(): () => void {
    if (this.#busy)
      throw new TernlightError(
        'invalid-option',
        'session: a generation is running in it; wait for it, or open another session',
      );
    this.#busy = true;
    return () => {
      this.#busy = false;
    };
  }
}
