// Text to ids and back. Knows no model; made from the metadata of a file.

export interface EncodeOptions {
  /** Parse the text of control tokens in the input. Default false: prompt injection is not possible then. */
  special?: boolean;
  /** Put the beginning-of-text token in front where the model wants one. Default true. */
  bos?: boolean;
}

/** Turns ids into text as they come; holds back the bytes of an unfinished character. */
export interface StreamDecoder {
  /** The text that this id completes, "" where it ends within a character. */
  push(id: number): string;
  /** What is left at the end; unfinished characters become U+FFFD. */
  end(): string;
}

export interface Tokenizer {
  /** Number of token strings. */
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  /** Whether `encode` puts bosId in front. */
  readonly addsBos: boolean;
  /** Ids that end a generation (docs/FORMATS.md). */
  readonly stopIds: ReadonlySet<number>;
  /** What had to be guessed or is doubtful in the file, a sentence each; for the caller to show. */
  readonly notes: readonly string[];
  encode(text: string, options?: EncodeOptions): number[];
  /** The whole text of some ids. Control tokens are left out unless `special`. */
  decode(ids: readonly number[], options?: { special?: boolean }): string;
  /** @param atStart whether the first id opens a text (SentencePiece drops the space in front of it then). Default false. */
  decoder(options?: { special?: boolean; atStart?: boolean }): StreamDecoder;
  /** The token's string as the file has it, undefined if the id has none. */
  token(id: number): string | undefined;
  /** The id of a token's string, undefined if there is none. */
  id(token: string): number | undefined;
  /** The bytes this token adds to a text; empty for control tokens. */
  tokenBytes(id: number): Uint8Array;
  isControl(id: number): boolean;
}
