// A vocabulary as it is put together: ids in any order, then the lists that GGUF has.

import { TernlightError } from '../errors.ts';
import type { MetadataBuilder } from './hf-metadata.ts';
import { describe, quote } from './safetensors-text.ts';

/** The numbers of tokenizer.ggml.token_type. */
export const tokenType = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

const maxTokens = 1 << 22;

export class HfVocabulary {
  private readonly texts: (string | undefined)[] = [];
  private readonly types: number[] = [];
  private readonly ids = new Map<string, number>();

  /** @param where for messages: the file the token is from */
  constructor(private readonly where: string) {}

  get size(): number {
    return this.texts.length;
  }

  /** A token of the model's own list; each id once. */
  add(text: string, id: unknown, type: number = tokenType.normal): void {
    const place = this.check(text, id);
    const other = this.texts[place];
    if (other !== undefined) throw this.invalid(`${quote(other)} and ${quote(text)} have the same id ${place}`);
    this.set(text, place, type);
  }

  /** A token added later; it may be in the list already, and then changes its type. */
  change(text: string, id: unknown, type: number): void {
    this.set(text, this.check(text, id), type);
  }

  setType(id: number, type: number): void {
    this.types[id] = type;
  }

  type(id: number): number | undefined {
    return this.types[id];
  }

  text(id: number): string | undefined {
    return this.texts[id];
  }

  id(text: string): number | undefined {
    return this.ids.get(text);
  }

  /** Ids that nobody has become unused tokens: GGUF's list has no holes. */
  write(builder: MetadataBuilder): void {
    if (this.size === 0) throw this.invalid('has no tokens');
    const tokens = Array.from(this.texts, (text, id) => text ?? `[PAD${id}]`);
    const types = Int32Array.from(tokens, (_, id) => this.types[id] ?? tokenType.unused);
    builder.strings('tokenizer.ggml.tokens', tokens).integers('tokenizer.ggml.token_type', types);
  }

  private check(text: string, id: unknown): number {
    if (typeof id === 'number' && Number.isInteger(id) && id >= 0 && id < maxTokens) return id;
    throw this.invalid(`${quote(text)} has id ${describe(id)}, expected an integer from 0 to ${maxTokens - 1}`);
  }

  private set(text: string, id: number, type: number): void {
    while (this.texts.length < id) this.texts.push(undefined);
    this.texts[id] = text;
    this.types[id] = type;
    this.ids.set(text, id);
  }

  private invalid(text: string): TernlightError {
    return new TernlightError('invalid-file', `${this.where}: ${text}`);
  }
}
