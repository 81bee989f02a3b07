// Byte-level BPE: text -> words -> bytes -> ids by the ranks of a list of merges. Knows no special tokens.

import type { StringList } from '../formats/types.ts';
import { fromAlphabet } from './alphabet.ts';
import { type MergeRule, Merger, noMerge } from './merger.ts';
import { type PreTokenizer, splitWords } from './pretokenizer.ts';
import { encodeUtf8 } from './utf8.ts';
import { tableLength, type Vocabulary } from './vocabulary.ts';
import { WordCache } from './words.ts';

export class BytePairEncoder implements MergeRule {
  /** [256] the id of each byte's token, -1 if the vocabulary has none. */
  readonly idOfByte = new Int32Array(256);
  private readonly merges: MergeTable;
  private readonly words = new WordCache((word) => this.encodeWord(word));
  private readonly merger = new Merger(this);
  /** Of the symbols of the word in work; -1 for a byte without a token, which joins nothing. */
  private ids = new Int32Array(0);

  /** @param unknownId stands for bytes that have no token; undefined leaves them out */
  constructor(
    private readonly vocabulary: Vocabulary,
    merges: StringList,
    private readonly pre: PreTokenizer,
    private readonly unknownId: number | undefined,
  ) {
    this.merges = new MergeTable(vocabulary, merges);
    for (let byte = 0; byte < 256; byte++) this.idOfByte[byte] = vocabulary.find(Uint8Array.of(byte), 0, 1);
  }

  /** Appends to `ids` the ids of a text that holds no special tokens. */
  encode(text: string, ids: number[]): void {
    // Engines sort a run of combining marks in quadratic time: text that has an absurd one stays as it is.
    const normal = this.pre.nfc && !/\p{M}{500}/u.test(text) ? text.normalize('NFC') : text;
    this.words.encode(splitWords(normal, this.pre.patterns), ids);
  }

  bytes(id: number): Uint8Array {
    return this.vocabulary.bytes(id);
  }

  rank(left: number, right: number): number {
    return this.merges.rank(this.ids[left]!, this.ids[right]!);
  }

  joined(left: number, rank: number): void {
    this.ids[left] = this.merges.products[rank]!;
  }

  private encodeWord(word: string): number[] {
    const bytes = encodeUtf8(word);
    const whole = this.pre.ignoreMerges ? this.vocabulary.find(bytes, 0, bytes.length) : -1;
    if (whole >= 0) return [whole];
    this.ids = Int32Array.from(bytes, (byte) => this.idOfByte[byte]!);
    const next = this.merger.merge(bytes.length);
    const ids: number[] = [];
    for (let at = 0; at < bytes.length; at = next[at]!) {
      const id = this.ids[at]!;
      if (id >= 0) ids.push(id);
      else if (this.unknownId !== undefined) ids.push(this.unknownId);
    }
    return ids;
  }
}

/** (left id, right id) -> rank, the index in the file's list, in three numbers and two slots a merge. */
class MergeTable {
  /** [merges] the id that the merge of each rank makes. */
  readonly products: Int32Array;
  private readonly lefts: Int32Array;
  private readonly rights: Int32Array;
  /** Open addressing: rank + 1, 0 where free. */
  private readonly slots: Int32Array;

  /** Merges whose parts or product are no tokens are left out: nothing could ever come of them. */
  constructor(vocabulary: Vocabulary, merges: StringList) {
    this.products = new Int32Array(merges.length);
    this.lefts = new Int32Array(merges.length);
    this.rights = new Int32Array(merges.length);
    this.slots = new Int32Array(tableLength(merges.length));
    let bytes = new Uint8Array(256);
    for (let rank = 0; rank < merges.length; rank++) {
      const text = merges.bytes(rank);
      if (text.length > bytes.length) bytes = new Uint8Array(text.length);
      const gap = text.indexOf(0x20, 1);
      if (gap < 0) continue;
      const left = fromAlphabet(text, 0, gap, bytes, 0);
      const right = fromAlphabet(text, gap + 1, text.length, bytes, left);
      if (left < 0 || right < 0) continue;
      const leftId = vocabulary.find(bytes, 0, left);
      const rightId = vocabulary.find(bytes, left, left + right);
      const product = vocabulary.find(bytes, 0, left + right);
      if (leftId < 0 || rightId < 0 || product < 0) continue;
      const slot = this.slotOf(leftId, rightId);
      if (this.slots[slot] !== 0) continue; // of two equal merges the first counts
      this.lefts[rank] = leftId;
      this.rights[rank] = rightId;
      this.products[rank] = product;
      this.slots[slot] = rank + 1;
    }
  }

  rank(left: number, right: number): number {
    const found = this.slots[this.slotOf(left, right)]!;
    return found === 0 ? noMerge : found - 1;
  }

  private slotOf(left: number, right: number): number {
    const { slots, lefts, rights } = this;
    const hash = Math.imul(left, 0x9e3779b1) ^ Math.imul(right, 0x85ebca77);
    for (let slot = hash ^ (hash >>> 15); ; slot++) {
      slot &= slots.length - 1;
      const rank = slots[slot]! - 1;
      if (rank < 0 || (lefts[rank] === left && rights[rank] === right)) return slot;
    }
  }
}
