// A conversation's place in a model: which tokens its cache holds. Ids in, logits out; owns positions, knows no text.
import { ROW_TOKENS } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { Engine, KvRegion } from '../runtime/engine.ts';
import { nextTask } from '../runtime/next-task.ts';
import type { LogitSource } from './options.ts';

export class EngineSession implements LogitSource {
  readonly #engine: Engine;
  readonly #cache: KvRegion;
  #ids: number[] = [];
  #logits: Float32Array;
  /** Computed but not accepted: the cache holds them behind `ids`, where the next feed writes. */
  #draft: readonly number[] = [];
  /** One for each token of a draft and the one before it, as many as were ever needed. */
  readonly #draftLogits: Float32Array[] = [];
  #disposed = false;

  constructor(engine: Engine) {
    this.#engine = engine;
    this.#cache = engine.openCache();
    this.#logits = new Float32Array(engine.vocabSize);
  }

  get vocabSize(): number {
    return this.#engine.vocabSize;
  }

  get contextLength(): number {
    return this.#engine.capacity;
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  get engine(): object {
    return this.#engine;
  }

  get recurrent(): boolean {
    return this.#engine.recurrent;
  }

  truncate(lengthTokens: number): number {
    this.#draft = [];
    if (lengthTokens < this.#ids.length) this.#ids.length = this.#engine.recurrent ? 0 : lengthTokens;
    return this.#ids.length;
  }

  async feed(ids: readonly number[], signal?: AbortSignal, top = 0): Promise<Float32Array> {
    this.#draft = [];
    for await (const chunk of this.#chunks(ids, signal)) {
      const { first, count, last } = chunk;
      if (count === 1) this.#logits.set(this.#engine.decode(this.#cache, this.#ids.length, ids[first]!, top));
      else {
        this.#engine.prefill(this.#cache, this.#ids.length, ids.slice(first, first + count));
        if (last) this.#logits.set(this.#engine.head(count - 1, 1, top)[0]!);
      }
      for (let i = first; i < first + count; i++) this.#ids.push(ids[i]!);
    }
    return this.#logits;
  }

  async feedDraft(
    id: number,
    draft: readonly number[],
    signal?: AbortSignal,
    top = 0,
  ): Promise<readonly Float32Array[]> {
    const ids = [id, ...draft];
    this.#check(ids);
    signal?.throwIfAborted();
    this.#draft = [];
    this.#engine.prefill(this.#cache, this.#ids.length, ids);
    // Copies: they are read one by one, and another session may compute between two of them.
    const rows = this.#engine.head(0, ids.length, top).map((logits, row) => {
      this.#draftLogits[row] ??= new Float32Array(logits.length);
      this.#draftLogits[row].set(logits);
      return this.#draftLogits[row];
    });
    this.#ids.push(id);
    this.#draft = [...draft];
    return rows;
  }

  accept(): void {
    const [id, ...rest] = this.#draft;
    if (id === undefined) throw new TernlightError('internal', 'session: no draft to accept');
    this.#ids.push(id);
    this.#draft = rest;
  }

  /** As feed, but the logits of every token from index `from` of `ids` on, one copy after another. */
  async *feedAll(ids: readonly number[], from = 0, signal?: AbortSignal): AsyncGenerator<Float32Array> {
    this.#draft = [];
    for await (const { first, count } of this.#chunks(ids, signal)) {
      this.#engine.prefill(this.#cache, this.#ids.length, ids.slice(first, first + count));
      for (let i = first; i < first + count; i++) this.#ids.push(ids[i]!);
      // All rows are read before the first is handed out: another session may compute between two of them.
      const rows: Float32Array[] = [];
      for (let row = Math.max(0, from - first); row < count; row += ROW_TOKENS)
        for (const logits of this.#engine.head(row, Math.min(ROW_TOKENS, count - row))) rows.push(logits.slice());
      yield* rows;
    }
  }

  dispose(): void {
    if (this.#disposed) return;
    this.#disposed = true;
    this.#engine.closeCache(this.#cache);
  }

  #check(ids: readonly number[]): void {
    if (this.#disposed) throw new TernlightError('disposed', 'session: it was disposed');
    if (ids.length === 0)
      throw new TernlightError('invalid-option', 'session: no tokens to feed, expected at least one');
    if (this.#ids.length + ids.length > this.contextLength)
      throw new TernlightError(
        'context-full',
        `session: ${this.#ids.length} + ${ids.length} tokens do not fit the context of ${this.contextLength}; load the model with a larger contextLength`,
      );
  }

  /** Splits `ids` into what the engine takes at once; other tasks get a turn between two chunks. */
  async *#chunks(
    ids: readonly number[],
    signal: AbortSignal | undefined,
  ): AsyncGenerator<{ first: number; count: number; last: boolean }> {
    this.#check(ids);
    for (let first = 0; first < ids.length; ) {
      signal?.throwIfAborted();
      const count = Math.min(this.#engine.chunkTokens, ids.length - first);
      yield { first, count, last: first + count === ids.length };
      first += count;
      if (first < ids.length) await nextTask();
    }
  }
}
