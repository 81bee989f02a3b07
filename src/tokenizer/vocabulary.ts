// The tokens of a vocabulary: id <-> bytes, kept in flat arrays (a Map of 128k strings takes ten times the memory).
// Knows token types and the byte alphabet, not how a text is split into tokens.

import type { StringList } from '../formats/types.ts';
import { fromAlphabet, toAlphabet } from './alphabet.ts';
import { decodeUtf8, encodeUtf8 } from './utf8.ts';

/** The numbers of tokenizer.ggml.token_type; `literal` is ours: listed as normal, but not in the byte alphabet. */
export const tokenType = {
  normal: 1,
  unknown: 2,
  control: 3,
  userDefined: 4,
  unused: 5,
  byte: 6,
  literal: 7,
} as const;

export class Vocabulary {
  readonly size: number;
  /** [size] */
  readonly types: Uint8Array;
  /** Of the longest token that ordinary text can become. */
  readonly longestBytes: number;
  /** The bytes of all tokens, one after the other; token id is [ends[id - 1], ends[id]). */
  private readonly data: Uint8Array;
  private readonly ends: Int32Array;
  /** Open addressing over the tokens that ordinary text can become: id + 1, 0 where free. */
  private readonly slots: Int32Array;
  /** The others: control tokens and the like are found by their text only, never by bytes that a user typed. */
  private readonly literals = new Map<string, number>();

  /**
   * @param types [tokens.length], 0 to 6
   * @param byteLevel the text of ordinary tokens is in the byte alphabet; their bytes are what it stands for
   */
  constructor(
    tokens: StringList,
    types: Uint8Array,
    private readonly byteLevel: boolean,
  ) {
    this.size = tokens.length;
    this.types = types.slice();
    let totalBytes = 0;
    for (let id = 0; id < this.size; id++) totalBytes += tokens.bytes(id).length;
    this.data = new Uint8Array(totalBytes);
    this.ends = new Int32Array(this.size);
    this.slots = new Int32Array(tableLength(this.size));
    let end = 0;
    let longest = 0;
    for (let id = 0; id < this.size; id++) {
      const text = tokens.bytes(id);
      let length = text.length;
      this.data.set(text, end);
      if (byteLevel && isOrdinary(types[id]!)) {
        const mapped = fromAlphabet(text, 0, length, this.data, end);
        if (mapped < 0) {
          this.types[id] = tokenType.literal;
          this.data.set(text, end);
        } else length = mapped;
      }
      end += length;
      this.ends[id] = end;
      if (isOrdinary(this.types[id]!)) {
        this.insert(id);
        longest = Math.max(longest, length);
      } else {
        const literal = decodeUtf8(text);
        if (!this.literals.has(literal)) this.literals.set(literal, id);
      }
    }
    this.longestBytes = longest;
  }

  /** The bytes of a token (of a special one: its text), a view. Empty if there is no such id. */
  bytes(id: number): Uint8Array {
    return this.data.subarray(this.begin(id), this.ends[id] ?? 0);
  }

  /** The token's string as the file has it, undefined if there is no such id. */
  text(id: number): string | undefined {
    if (!(id in this.ends)) return undefined;
    const bytes = this.bytes(id);
    return this.byteLevel && isOrdinary(this.types[id]!) ? toAlphabet(bytes) : decodeUtf8(bytes);
  }

  /** The id of a token's string as the file has it; the first if several have it. */
  id(text: string): number | undefined {
    const literal = this.literals.get(text);
    if (literal !== undefined) return literal;
    let bytes = encodeUtf8(text);
    if (this.byteLevel) {
      const length = fromAlphabet(bytes, 0, bytes.length, bytes, 0); // never longer than what it is read from
      if (length < 0) return undefined;
      bytes = bytes.subarray(0, length);
    }
    const id = this.find(bytes, 0, bytes.length);
    return id < 0 ? undefined : id;
  }

  /** The id of the ordinary token that is bytes [begin, end), -1 if there is none. */
  find(bytes: Uint8Array, begin: number, end: number): number {
    if (end - begin > this.longestBytes) return -1;
    const found = this.slots[this.slotOf(bytes, begin, end)]!;
    return found - 1;
  }

  private begin(id: number): number {
    return id > 0 ? (this.ends[id - 1] ?? 0) : 0;
  }

  private insert(id: number): void {
    const slot = this.slotOf(this.data, this.begin(id), this.ends[id]!);
    if (this.slots[slot] === 0) this.slots[slot] = id + 1;
  }

  /** Where the token stands, or the free slot where it would. */
  private slotOf(bytes: Uint8Array, begin: number, end: number): number {
    const { slots, data, ends } = this;
    let hash = 0x811c9dc5; // FNV-1a
    for (let at = begin; at < end; at++) hash = Math.imul(hash ^ bytes[at]!, 0x01000193);
    for (let slot = hash ^ (hash >>> 15); ; slot++) {
      slot &= slots.length - 1;
      const id = slots[slot]! - 1;
      if (id < 0) return slot;
      const from = id > 0 ? ends[id - 1]! : 0;
      if (ends[id]! - from !== end - begin) continue;
      let same = 0;
      while (same < end - begin && data[from + same] === bytes[begin + same]) same++;
      if (same === end - begin) return slot;
    }
  }
}

/** Whether text can become this token by merging alone. */
function isOrdinary(type: number): boolean {
  return type < tokenType.unknown || type === tokenType.unused;
}

/** A power of two that `count` entries fill by half at most. */
export function tableLength(count: number): number {
  return 2 ** Math.ceil(Math.log2(Math.max(count, 1) * 2));
}
