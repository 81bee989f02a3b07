// Metadata put together key by key, as a GGUF file would hold it: u32 for integers, f32 for floats.

import { TernlightError } from '../errors.ts';
import { type MetadataEntry, MetadataMap } from './metadata.ts';
import type { StringList } from './types.ts';

// A byte order mark at the front of a token is part of the token.
const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });

export class MetadataBuilder {
  private readonly entries = new Map<string, MetadataEntry>();

  /** Here and below: undefined leaves the key out. */
  integer(key: string, value: number | undefined): this {
    return value === undefined ? this : this.add(key, { type: 'u32', value });
  }

  /** Rounded to f32, so that the same model gives the same bits from either kind of file. */
  float(key: string, value: number | undefined): this {
    return value === undefined ? this : this.add(key, { type: 'f32', value: Math.fround(value) });
  }

  boolean(key: string, value: boolean | undefined): this {
    return value === undefined ? this : this.add(key, { type: 'bool', value });
  }

  string(key: string, value: string | undefined): this {
    return value === undefined ? this : this.add(key, { type: 'string', value });
  }

  strings(key: string, values: readonly string[]): this {
    return this.add(key, { type: 'string[]', value: new EncodedStrings(values) });
  }

  floats(key: string, values: Float32Array): this {
    return this.add(key, { type: 'f32[]', value: values });
  }

  integers(key: string, values: Int32Array): this {
    return this.add(key, { type: 'i32[]', value: values });
  }

  done(): MetadataMap {
    return new MetadataMap(this.entries);
  }

  private add(key: string, entry: MetadataEntry): this {
    this.entries.set(key, entry);
    return this;
  }
}

/** Strings as their bytes, one after the other: a tenth of what 128k JavaScript strings take. */
class EncodedStrings implements StringList {
  readonly length: number;
  private readonly data: Uint8Array;
  private readonly ends: Uint32Array;

  constructor(strings: readonly string[]) {
    const encoder = new TextEncoder();
    this.length = strings.length;
    this.ends = new Uint32Array(strings.length);
    // UTF-8 has at most three bytes for a UTF-16 unit.
    const room = new Uint8Array(strings.reduce((sum, text) => sum + text.length * 3, 0));
    let end = 0;
    for (const [i, text] of strings.entries()) {
      end += encoder.encodeInto(text, room.subarray(end)).written;
      this.ends[i] = end;
    }
    this.data = room.slice(0, end);
  }

  bytes(index: number): Uint8Array {
    if (!(index >= 0 && index < this.length)) {
      throw new TernlightError(
        'internal',
        `metadata: string ${index} of a list was asked for, expected 0..${this.length - 1}`,
      );
    }
    return this.data.subarray(index > 0 ? this.ends[index - 1] : 0, this.ends[index]);
  }

  get(index: number): string {
    return utf8.decode(this.bytes(index));
  }
}
