// SentencePiece BPE: characters -> ids by the scores of the tokens, bytes where no token fits. There is no list of
// merges: two symbols join if their text is a token. Knows no special tokens.

import { type MergeRule, Merger, noMerge } from './merger.ts';
import { encodeUtf8 } from './utf8.ts';
import { tokenType, type Vocabulary } from './vocabulary.ts';
import { WordCache } from './words.ts';

/** Stands for a space in the vocabulary. */
const mark = '\u2581';
const markBytes = encodeUtf8(mark);

export class SentencePieceEncoder implements MergeRule {
  /** [256] the id of each byte's token, -1 if the vocabulary has none. */
  readonly idOfByte = new Int32Array(256).fill(-1);
  private readonly byteOfId = new Map<number, number>();
  /** [size] the place of each token's score, best first; equal scores have equal ranks. */
  private readonly ranks: Int32Array;
  /** Whether a space can only begin a token, never follow a letter in one: then no merge reaches over it. */
  private readonly cutAtSpaces: boolean;
  private readonly words = new WordCache((word) => this.encodeWord(word));
  private readonly merger = new Merger(this);
  /** The word in work, and where each of its symbols begins; one more entry for the end. */
  private text: Uint8Array = new Uint8Array(0);
  private begins = new Int32Array(0);

  /**
   * @param scores [vocabulary.size], higher goes first
   * @param prefixesSpace each text is encoded as if a space stood in front
   * @param unknownId stands for bytes that have no token
   */
  constructor(
    private readonly vocabulary: Vocabulary,
    scores: Float32Array,
    private readonly prefixesSpace: boolean,
    private readonly unknownId: number,
  ) {
    this.ranks = ranksOf(scores);
    let cut = true;
    for (let id = 0; id < vocabulary.size; id++) {
      const type = vocabulary.types[id];
      if (type === tokenType.byte) {
        const hex = /^<0x([0-9a-f]{2})>$/i.exec(vocabulary.text(id)!);
        const byte = Number.parseInt(hex?.[1] ?? '', 16);
        if (Number.isNaN(byte)) continue;
        this.byteOfId.set(id, byte);
        if (this.idOfByte[byte]! < 0) this.idOfByte[byte] = id;
      } else if (type === tokenType.normal || type === tokenType.unused) {
        cut &&= !hasInnerMark(vocabulary.bytes(id));
      }
    }
    this.cutAtSpaces = cut;
  }

  /** Appends to `ids` the ids of a text that holds no special tokens. */
  encode(text: string, ids: number[]): void {
    const marked = (this.prefixesSpace ? mark : '') + text.replaceAll(' ', mark);
    this.words.encode(this.cutAtSpaces ? marked.match(/\u2581*[^\u2581]+|\u2581+/g)! : [marked], ids);
  }

  bytes(id: number): Uint8Array {
    const type = this.vocabulary.types[id];
    const byte = type === tokenType.byte ? this.byteOfId.get(id) : undefined;
    if (byte !== undefined) return Uint8Array.of(byte);
    const bytes = this.vocabulary.bytes(id);
    if (type === tokenType.userDefined || !hasMark(bytes)) return bytes;
    return encodeUtf8(this.vocabulary.text(id)!.replaceAll(mark, ' '));
  }

  rank(left: number, _right: number, end: number): number {
    const id = this.vocabulary.find(this.text, this.begins[left]!, this.begins[end]!);
    return id < 0 ? noMerge : this.ranks[id]!;
  }

  joined(): void {}

  private encodeWord(word: string): number[] {
    const text = encodeUtf8(word);
    const begins = new Int32Array(text.length + 1);
    let count = 0;
    for (let at = 0; at < text.length; at++) if ((text[at]! & 0xc0) !== 0x80) begins[count++] = at;
    begins[count] = text.length;
    this.text = text;
    this.begins = begins;
    const next = this.merger.merge(count);
    const ids: number[] = [];
    for (let at = 0; at < count; at = next[at]!) {
      const begin = begins[at]!;
      const end = begins[next[at]!]!;
      const id = this.vocabulary.find(text, begin, end);
      if (id >= 0) ids.push(id);
      else for (let byte = begin; byte < end; byte++) ids.push(this.idOrUnknown(text[byte]!));
    }
    return ids;
  }

  private idOrUnknown(byte: number): number {
    const id = this.idOfByte[byte]!;
    return id < 0 ? this.unknownId : id;
  }
}

function ranksOf(scores: Float32Array): Int32Array {
  const sorted = scores.slice().sort().reverse();
  const places = new Map<number, number>();
  for (const score of sorted) if (!places.has(score)) places.set(score, places.size);
  return Int32Array.from(scores, (score) => places.get(score)!);
}

/** Whether a mark stands at `at`. */
function isMark(bytes: Uint8Array, at: number): boolean {
  return bytes[at] === markBytes[0] && bytes[at + 1] === markBytes[1] && bytes[at + 2] === markBytes[2];
}

function hasMark(bytes: Uint8Array): boolean {
  for (let at = 0; at < bytes.length; at++) if (isMark(bytes, at)) return true;
  return false;
}

/** Whether a mark stands behind something else. */
function hasInnerMark(bytes: Uint8Array): boolean {
  let at = 0;
  while (isMark(bytes, at)) at += markBytes.length;
  return hasMark(bytes.subarray(at));
}
