// The public face of a vocabulary: special tokens, beginning of text and decoding around an encoder of plain text.
// Knows neither files nor models.

import { isControl, SpecialTokens } from './special.ts';
import type { EncodeOptions, StreamDecoder, Tokenizer } from './types.ts';
import { Utf8Stream } from './utf8.ts';
import type { Vocabulary } from './vocabulary.ts';

/** The part that differs between the kinds of tokenizer. */
export interface TextEncoding {
  /** Appends to `ids` the ids of a non-empty text that holds no special tokens. */
  encode(text: string, ids: number[]): void;
  /** What a token that is not a control token adds to a text. */
  bytes(id: number): Uint8Array;
}

export interface TokenizerParts {
  readonly vocabulary: Vocabulary;
  readonly encoding: TextEncoding;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly addsBos: boolean;
  /** Whether a text's first token has a space in front that is not the text's. */
  readonly prefixesSpace: boolean;
  readonly stopIds: ReadonlySet<number>;
  readonly notes: readonly string[];
}

const noBytes = new Uint8Array(0);

export class VocabularyTokenizer implements Tokenizer {
  readonly vocabSize: number;
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
  readonly addsBos: boolean;
  readonly stopIds: ReadonlySet<number>;
  readonly notes: readonly string[];
  private readonly special: SpecialTokens;

  constructor(private readonly parts: TokenizerParts) {
    this.vocabSize = parts.vocabulary.size;
    this.bosId = parts.bosId;
    this.eosId = parts.eosId;
    this.addsBos = parts.addsBos;
    this.stopIds = parts.stopIds;
    this.notes = parts.notes;
    this.special = new SpecialTokens(parts.vocabulary);
  }

  encode(text: string, { special = false, bos = true }: EncodeOptions = {}): number[] {
    const ids: number[] = [];
    const pieces = this.special.split(text, special);
    // A chat template may have written the token itself; a second one would be a text the model has never seen.
    if (bos && this.addsBos && pieces[0] !== this.bosId) ids.push(this.bosId!);
    for (const piece of pieces) {
      if (typeof piece === 'number') ids.push(piece);
      else this.parts.encoding.encode(piece, ids);
    }
    return ids;
  }

  decode(ids: readonly number[], { special = false }: { special?: boolean } = {}): string {
    const decoder = this.decoder({ special, atStart: true });
    let text = '';
    for (const id of ids) text += decoder.push(id);
    return text + decoder.end();
  }

  decoder({ special = false, atStart = false }: { special?: boolean; atStart?: boolean } = {}): StreamDecoder {
    const utf8 = new Utf8Stream();
    let dropSpace = atStart && this.parts.prefixesSpace;
    return {
      push: (id) => {
        let bytes = special && this.isControl(id) ? this.parts.vocabulary.bytes(id) : this.tokenBytes(id);
        if (dropSpace && bytes.length > 0) {
          dropSpace = false;
          if (bytes[0] === 0x20) bytes = bytes.subarray(1);
        }
        return utf8.push(bytes);
      },
      end: () => utf8.end(),
    };
  }

  token(id: number): string | undefined {
    return this.parts.vocabulary.text(id);
  }

  id(token: string): number | undefined {
    return this.parts.vocabulary.id(token);
  }

  tokenBytes(id: number): Uint8Array {
    return this.isControl(id) ? noBytes : this.parts.encoding.bytes(id);
  }

  isControl(id: number): boolean {
    return isControl(this.parts.vocabulary.types[id]);
  }
}
