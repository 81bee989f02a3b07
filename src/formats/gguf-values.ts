// One metadata value of a GGUF header. Knows the thirteen value types and how much of each is sane.

import { TernlightError } from '../errors.ts';
import type { Cursor } from './gguf-cursor.ts';
import type { MetadataEntry, ScalarType, ValueType } from './metadata.ts';
import type { MetadataValue } from './types.ts';

/** Index = id in the file; 9 is the array. */
export const valueTypes: readonly (ScalarType | 'array')[] = [
  'u8',
  'i8',
  'u16',
  'i16',
  'u32',
  'i32',
  'f32',
  'bool',
  'string',
  'array',
  'u64',
  'i64',
  'f64',
];

const valueBytes = { u8: 1, i8: 1, u16: 2, i16: 2, u32: 4, i32: 4, f32: 4, bool: 1, u64: 8, i64: 8, f64: 8 } as const;

// Lists of other types than f32 and i32 become JavaScript arrays, many times their size in the file.
const maxOddElems = 1 << 22;

export function readValue(cursor: Cursor): MetadataEntry {
  const type = typeName(cursor, cursor.u32());
  if (type !== 'array') return { type, value: scalar(cursor, type) };
  const elemType = typeName(cursor, cursor.u32());
  if (elemType === 'array') {
    throw new TernlightError(
      'unsupported',
      `gguf: ${cursor.fileName}: ${cursor.where} is an array of arrays, which no known model needs`,
    );
  }
  const count = cursor.count();
  return { type: `${elemType}[]` as ValueType, value: array(cursor, elemType, count) };
}

function typeName(cursor: Cursor, id: number): ScalarType | 'array' {
  const name = valueTypes[id];
  if (name) return name;
  throw cursor.fault(`has value type ${id}, expected 0 to 12; the file is damaged`);
}

function array(cursor: Cursor, type: ScalarType, count: number): MetadataValue {
  if (type === 'string') return cursor.strings(count);
  const size = valueBytes[type];
  cursor.need(count * size); // before anything is allocated
  if (type === 'f32' || type === 'i32') {
    const { view, at } = cursor.take(count * 4);
    const bytes = new Uint8Array(view.buffer, view.byteOffset + at, count * 4).slice();
    return type === 'f32' ? new Float32Array(bytes.buffer) : new Int32Array(bytes.buffer);
  }
  if (count > maxOddElems) throw cursor.fault(`has ${count} elements of type ${type}, expected at most ${maxOddElems}`);
  const values: number[] = [];
  for (let i = 0; i < count; i++) {
    const value = scalar(cursor, type);
    if (typeof value === 'bigint') throw cursor.fault(`holds ${value}, expected integers below 2^53`);
    values.push(Number(value));
  }
  return values;
}

function scalar(cursor: Cursor, type: ScalarType): number | bigint | boolean | string {
  if (type === 'string') return cursor.string(Number.POSITIVE_INFINITY);
  const { view, at } = cursor.take(valueBytes[type]);
  switch (type) {
    case 'u8':
      return view.getUint8(at);
    case 'i8':
      return view.getInt8(at);
    case 'u16':
      return view.getUint16(at, true);
    case 'i16':
      return view.getInt16(at, true);
    case 'u32':
      return view.getUint32(at, true);
    case 'i32':
      return view.getInt32(at, true);
    case 'f32':
      return view.getFloat32(at, true);
    case 'f64':
      return view.getFloat64(at, true);
    case 'u64':
      return plain(view.getBigUint64(at, true));
    case 'i64':
      return plain(view.getBigInt64(at, true));
    case 'bool': {
      const value = view.getUint8(at);
      if (value > 1) throw cursor.fault(`is a bool of value ${value}, expected 0 or 1`);
      return value === 1;
    }
  }
}

/** A number wherever it is exact. */
function plain(value: bigint): number | bigint {
  const number = Number(value);
  return Number.isSafeInteger(number) ? number : value;
}
