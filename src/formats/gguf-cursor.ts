// Reads the primitives of a GGUF header out of the bytes that are there so far. Every read is checked first against
// the file's size (an error) and then against the bytes at hand (NeedMore: fetch and try again). Knows no keys.

import { TernlightError } from '../errors.ts';
import type { StringList } from './types.ts';

/** Not an error: the header goes on beyond the bytes at hand, to `endBytes` at least. */
export class NeedMore {
  constructor(readonly endBytes: number) {}
}

// A byte order mark at the front of a token is part of the token.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class Cursor {
  /** What is being read, for messages. */
  where = 'header';
  at = 0;
  private bytes: Uint8Array = new Uint8Array(0);
  private view = new DataView(this.bytes.buffer);

  constructor(
    readonly fileName: string,
    /** Undefined while nobody knows. */
    public fileBytes: number | undefined,
  ) {}

  /** `bytes` replaces what was there: the same file from its start, and more of it. */
  refill(bytes: Uint8Array): void {
    this.bytes = bytes;
    this.view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  /** The next `count` bytes are there, or this throws. `count` may be absurd. */
  need(count: number): void {
    const end = this.at + count;
    if (this.fileBytes !== undefined && end > this.fileBytes) {
      throw this.fault(
        `needs ${count} bytes at ${this.at}, but the file ends at ${this.fileBytes}; it is cut short or damaged: download it again`,
      );
    }
    if (end > this.bytes.byteLength) throw new NeedMore(end);
  }

  u32(): number {
    this.need(4);
    this.at += 4;
    return this.view.getUint32(this.at - 4, true);
  }

  /** A u64 that counts something. */
  count(): number {
    this.need(8);
    const value = this.view.getUint32(this.at, true) + this.view.getUint32(this.at + 4, true) * 2 ** 32;
    if (!Number.isSafeInteger(value)) throw this.fault(`has a count of ${value}, expected less than 2^53`);
    this.at += 8;
    return value;
  }

  /** The view on all bytes so far, and the place of the next `count`, which are skipped. */
  take(count: number): { view: DataView; at: number } {
    this.need(count);
    this.at += count;
    return { view: this.view, at: this.at - count };
  }

  string(maxBytes: number): string {
    const length = this.count();
    if (length > maxBytes) throw this.fault(`has a length of ${length} bytes, expected at most ${maxBytes}`);
    this.need(length);
    this.at += length;
    return utf8.decode(this.bytes.subarray(this.at - length, this.at));
  }

  /** `count` strings, left as they are. */
  strings(count: number): StringList {
    this.need(count * 8); // before the table is allocated
    const start = this.at;
    // Entry i is where string i's length stands, from `start`; its bytes run from 8 later to the next entry.
    const offsets = new Uint32Array(count + 1);
    for (let i = 0; i < count; i++) {
      offsets[i] = this.at - start;
      const length = this.count();
      this.need(length);
      this.at += length;
    }
    offsets[count] = this.at - start;
    return new PackedStrings(this.bytes.slice(start, this.at), offsets);
  }

  fault(text: string): TernlightError {
    return new TernlightError('invalid-file', `gguf: ${this.fileName}: ${this.where} ${text}`);
  }
}

/** Strings as GGUF packs them: each after its length. */
class PackedStrings implements StringList {
  readonly length: number;

  constructor(
    private readonly packed: Uint8Array,
    private readonly offsets: Uint32Array,
  ) {
    this.length = offsets.length - 1;
  }

  bytes(index: number): Uint8Array {
    if (!(index >= 0 && index < this.length)) {
      throw new TernlightError(
        'internal',
        `gguf: string ${index} of a list was asked for, expected 0..${this.length - 1}`,
      );
    }
    return this.packed.subarray(this.offsets[index]! + 8, this.offsets[index + 1]!);
  }

  get(index: number): string {
    return utf8.decode(this.bytes(index));
  }
}
