// A tokenizer of single bytes and a source of logits that says a given text: for tests of what stands around a model.
import type { LogitSource } from '../../src/generate/options.ts';
import type { EncodeOptions, StreamDecoder, Tokenizer } from '../../src/tokenizer/types.ts';

export const CONTROLS = ['<s>', '</s>', '<|im_start|>', '<|im_end|>', '<|eot_id|>', '<|user|>'];

/** Ids 0 .. 255 are bytes; control tokens follow. */
export class ByteTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number;
  readonly stopIds: ReadonlySet<number>;
  readonly notes: readonly string[] = [];

  constructor(
    readonly addsBos = true,
    readonly controls: readonly string[] = CONTROLS,
  ) {
    this.vocabSize = 256 + controls.length;
    this.bosId = 256;
    this.eosId = 257;
    this.stopIds = new Set([257]);
  }

  encode(text: string, { special = false, bos = true }: EncodeOptions = {}): number[] {
    const ids: number[] = bos && this.addsBos ? [256] : [];
    for (let at = 0; at < text.length; ) {
      const control = special ? this.controls.findIndex((c) => text.startsWith(c, at)) : -1;
      if (control >= 0) {
        ids.push(256 + control);
        at += this.controls[control]!.length;
      } else {
        const char = String.fromCodePoint(text.codePointAt(at)!);
        ids.push(...new TextEncoder().encode(char));
        at += char.length;
      }
    }
    return ids;
  }

  decode(ids: readonly number[], options?: { special?: boolean }): string {
    const decoder = this.decoder(options);
    return ids.map((id) => decoder.push(id)).join('') + decoder.end();
  }

  decoder({ special = false }: { special?: boolean } = {}): StreamDecoder {
    const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
    return {
      push: (id) =>
        id < 256 ? utf8.decode(Uint8Array.of(id), { stream: true }) : special ? this.controls[id - 256]! : '',
      end: () => utf8.decode(),
    };
  }

  token(id: number): string | undefined {
    return id < 256 ? String.fromCharCode(id) : this.controls[id - 256];
  }

  id(token: string): number | undefined {
    const control = this.controls.indexOf(token);
    return control >= 0 ? 256 + control : undefined;
  }

  tokenBytes(id: number): Uint8Array {
    return id < 256 ? Uint8Array.of(id) : new Uint8Array(0);
  }

  isControl(id: number): boolean {
    return id >= 256;
  }
}

/** After any prompt of `promptLength` tokens it says `answer`, token by token, then the token 257. */
export class ScriptedSource implements LogitSource {
  readonly ids: number[] = [];
  /** What was asked to be computed. */
  readonly fed: number[][] = [];
  onFeed: () => void | Promise<void> = () => {};

  constructor(
    readonly promptLength: number,
    readonly answer: readonly number[],
    readonly contextLength = 1000,
    readonly vocabSize = 300,
  ) {}

  truncate(lengthTokens: number): number {
    this.ids.length = Math.min(this.ids.length, lengthTokens);
    return this.ids.length;
  }

  async feed(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    this.fed.push([...ids]);
    for (const id of ids) {
      await this.onFeed();
      signal?.throwIfAborted();
      this.ids.push(id);
    }
    const logits = new Float32Array(this.vocabSize);
    logits[this.answer[this.ids.length - this.promptLength] ?? 257] = 20;
    // A row that has no token: it must never come.
    logits[this.vocabSize - 1] = 30;
    return logits;
  }
}

/**
 * A source whose logits are any function of the tokens it holds. It takes drafts, as a cache does: what is not accepted
 * stays behind the accepted tokens until it is written over. Logits are spoilt when they are no longer valid.
 */
export class ContextSource implements LogitSource {
  readonly ids: number[] = [];
  /** The guesses that were asked for. */
  readonly drafts: number[][] = [];
  /** All calls that computed something. */
  calls = 0;
  onFeed: (tokens: number) => void = () => {};
  /** Tokens by position, those of drafts included. */
  readonly #cells: number[] = [];
  #given: readonly Float32Array[] = [];
  #draft: number[] = [];

  constructor(
    readonly logitsAfter: (ids: readonly number[]) => Float32Array,
    readonly contextLength = 1000,
    readonly vocabSize = 300,
    readonly recurrent = false,
  ) {}

  truncate(lengthTokens: number): number {
    this.#draft = [];
    if (lengthTokens < this.ids.length) this.ids.length = this.recurrent ? 0 : lengthTokens;
    return this.ids.length;
  }

  async feed(ids: readonly number[], signal?: AbortSignal): Promise<Float32Array> {
    const rows = await this.#compute(ids, signal);
    this.ids.push(...ids);
    return rows.at(-1)!;
  }

  async feedDraft(id: number, draft: readonly number[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    this.drafts.push([...draft]);
    const rows = await this.#compute([id, ...draft], signal);
    this.ids.push(id);
    this.#draft = [...draft];
    return rows;
  }

  accept(): void {
    if (this.#draft.length === 0) throw new Error('no draft to accept');
    this.ids.push(this.#draft.shift()!);
  }

  async #compute(ids: readonly number[], signal?: AbortSignal): Promise<readonly Float32Array[]> {
    this.calls++;
    this.onFeed(ids.length);
    await Promise.resolve();
    signal?.throwIfAborted();
    const { length } = this.ids;
    if (length + ids.length > this.contextLength) throw new Error('the context is full');
    for (const logits of this.#given) logits.fill(Number.NaN);
    this.#draft = [];
    ids.forEach((id, i) => {
      this.#cells[length + i] = id;
    });
    this.#given = ids.map((_, i) => this.logitsAfter(this.#cells.slice(0, length + i + 1)));
    return this.#given;
  }
}
