// Metadata of a model file: typed look-up with errors that name the key, what it is and what it should be. Knows the
// value types of GGUF, not what any key means.

import { TernlightError } from '../errors.ts';
import type { Metadata, MetadataValue, StringList } from './types.ts';

export type ScalarType =
  | 'u8'
  | 'i8'
  | 'u16'
  | 'i16'
  | 'u32'
  | 'i32'
  | 'f32'
  | 'bool'
  | 'string'
  | 'u64'
  | 'i64'
  | 'f64';
export type ValueType = ScalarType | `${ScalarType}[]`;

export interface MetadataEntry {
  readonly type: ValueType;
  readonly value: MetadataValue;
}

const integerTypes: ReadonlySet<string> = new Set(['u8', 'i8', 'u16', 'i16', 'u32', 'i32', 'u64', 'i64']);
const numberTypes: ReadonlySet<string> = new Set([...integerTypes, 'f32', 'f64']);

export class MetadataMap implements Metadata {
  constructor(private readonly entries: ReadonlyMap<string, MetadataEntry>) {}

  get keys(): readonly string[] {
    return [...this.entries.keys()];
  }

  has(key: string): boolean {
    return this.entries.has(key);
  }

  /** As it stands in the file, strings and lists of strings included. */
  raw(key: string): MetadataValue | undefined {
    return this.entries.get(key)?.value;
  }

  /** "u32", "string[]" ...: for listings and messages. */
  type(key: string): ValueType | undefined {
    return this.entries.get(key)?.type;
  }

  integer(key: string): number | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (!integerTypes.has(entry.type)) throw wrongType(key, entry, 'an integer');
    return asNumber(key, entry.value);
  }

  perLayer(key: string, layer: number): number | undefined {
    const entry = this.entries.get(key);
    if (!entry?.type.endsWith('[]')) return this.integer(key);
    if (!isIntegers(entry)) throw wrongType(key, entry, 'an integer or integers');
    const list = entry.value as ArrayLike<number>;
    if (layer >= list.length) {
      throw new TernlightError(
        'invalid-file',
        `metadata: ${key} has ${list.length} elements, expected one for layer ${layer} too`,
      );
    }
    return list[layer];
  }

  float(key: string): number | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (entry.type !== 'f32' && entry.type !== 'f64') throw wrongType(key, entry, 'a float');
    return entry.value as number;
  }

  boolean(key: string): boolean | undefined {
    return this.typed(key, 'bool') as boolean | undefined;
  }

  string(key: string): string | undefined {
    return this.typed(key, 'string') as string | undefined;
  }

  strings(key: string): StringList | undefined {
    return this.typed(key, 'string[]') as StringList | undefined;
  }

  floats(key: string): Float32Array | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (entry.value instanceof Float32Array) return entry.value;
    if (!isNumbers(entry)) throw wrongType(key, entry, 'numbers');
    return Float32Array.from(entry.value as ArrayLike<number>);
  }

  integers(key: string): Int32Array | undefined {
    const entry = this.entries.get(key);
    if (!entry) return undefined;
    if (entry.value instanceof Int32Array) return entry.value;
    if (!isIntegers(entry)) throw wrongType(key, entry, 'integers');
    const list = entry.value as readonly number[];
    for (const value of list) {
      if (value > 0x7fffffff || value < -0x80000000) {
        throw new TernlightError('invalid-file', `metadata: ${key} holds ${value}, expected 32-bit integers`);
      }
    }
    return Int32Array.from(list);
  }

  private typed(key: string, type: ValueType): MetadataValue | undefined {
    const entry = this.entries.get(key);
    if (entry && entry.type !== type) throw wrongType(key, entry, type);
    return entry?.value;
  }
}

function isIntegers(entry: MetadataEntry): boolean {
  return entry.type.endsWith('[]') && integerTypes.has(entry.type.slice(0, -2));
}

function isNumbers(entry: MetadataEntry): boolean {
  return entry.type.endsWith('[]') && numberTypes.has(entry.type.slice(0, -2));
}

function asNumber(key: string, value: MetadataValue): number {
  if (typeof value === 'number') return value;
  throw new TernlightError('invalid-file', `metadata: ${key} is ${value}, expected an integer below 2^53`);
}

function wrongType(key: string, entry: MetadataEntry, expected: string): TernlightError {
  return new TernlightError('invalid-file', `metadata: ${key} is of type ${entry.type}, expected ${expected}`);
}

/** `base` with the keys that begin with `prefix` taken from `over` instead. */
export function overlay(base: Metadata, over: Metadata, prefix: string): Metadata {
  const of = (key: string) => (key.startsWith(prefix) ? over : base);
  return {
    keys: [...base.keys.filter((key) => of(key) === base), ...over.keys.filter((key) => of(key) === over)],
    has: (key) => of(key).has(key),
    raw: (key) => of(key).raw(key),
    integer: (key) => of(key).integer(key),
    perLayer: (key, layer) => of(key).perLayer(key, layer),
    float: (key) => of(key).float(key),
    boolean: (key) => of(key).boolean(key),
    string: (key) => of(key).string(key),
    strings: (key) => of(key).strings(key),
    floats: (key) => of(key).floats(key),
    integers: (key) => of(key).integers(key),
  };
}
