// Writes the header of a GGUF v3: for converters, synthetic models and tests. Knows no model; the tensor data is the
// caller's to write, at the offsets given.

import { TernlightError } from '../errors.ts';
import { valueTypes } from './gguf-values.ts';
import type { Encoding } from './types.ts';

/** Key, type, value, in the order of the file. */
export type MetadataItem =
  | readonly [key: string, type: 'u32' | 'i32' | 'f32' | 'u64', value: number]
  | readonly [key: string, type: 'bool', value: boolean]
  | readonly [key: string, type: 'string', value: string]
  | readonly [key: string, type: 'string[]', value: readonly string[]]
  | readonly [key: string, type: 'f32[]' | 'i32[]', value: ArrayLike<number>];

export interface TensorPlan {
  readonly name: string;
  /** Fastest-varying first: a linear layer is [in, out]. */
  readonly dims: readonly number[];
  readonly encoding: Encoding;
}

export interface GgufHeader {
  /** The file up to its tensor data, padding included. */
  readonly bytes: Uint8Array;
  /** = bytes.length */
  readonly dataOffsetBytes: number;
  /** Absolute, one for each tensor in the order given; each tensor is padded with zeros to the alignment. */
  readonly tensorOffsetsBytes: readonly number[];
  /** Of each tensor, trailer included, padding not. */
  readonly tensorBytes: readonly number[];
  /** Of the whole file. */
  readonly fileBytes: number;
}

const arrayType = 9;

export function ggufHeader(
  metadata: readonly MetadataItem[],
  tensors: readonly TensorPlan[],
  alignment = 32,
): GgufHeader {
  const out = new Writer();
  out.u32(0x46554747); // "GGUF"
  out.u32(3);
  out.u64(tensors.length);
  const items: MetadataItem[] = [...metadata];
  if (alignment !== 32) items.push(['general.alignment', 'u32', alignment]);
  out.u64(items.length);
  for (const item of items) writeItem(out, item);

  const tensorBytes = tensors.map(encodedBytes);
  const relative: number[] = [];
  let end = 0;
  for (const [i, { name, dims, encoding }] of tensors.entries()) {
    relative.push(end);
    out.string(name);
    out.u32(dims.length);
    for (const dim of dims) out.u64(dim);
    out.u32(encoding.id);
    out.u64(end);
    end = align(end + tensorBytes[i]!, alignment);
  }
  out.padTo(align(out.length, alignment));
  const bytes = out.done();
  return {
    bytes,
    dataOffsetBytes: bytes.length,
    tensorOffsetsBytes: relative.map((offset) => bytes.length + offset),
    tensorBytes,
    fileBytes: bytes.length + end,
  };
}

/** Bytes of a tensor's data and trailer. */
export function encodedBytes({ name, dims, encoding }: TensorPlan): number {
  const elems = dims.reduce((product, dim) => product * dim, 1);
  const flat = encoding.family === 'ternary' && encoding.scaleElems === 'tensor';
  if ((flat ? elems : dims[0]!) % encoding.blockElems !== 0) {
    throw new TernlightError(
      'invalid-option',
      `gguf: ${name} is [${dims.join(', ')}], expected rows of a multiple of ${encoding.blockElems} for ${encoding.name}`,
    );
  }
  return (elems / encoding.blockElems) * encoding.blockBytes + (encoding.trailerBytes ?? 0);
}

function writeItem(out: Writer, [key, type, value]: MetadataItem): void {
  out.string(key);
  if (!type.endsWith('[]')) {
    out.u32(typeId(type));
    out.scalar(type, value);
    return;
  }
  const elemType = type.slice(0, -2);
  const list = value as ArrayLike<number | string>;
  out.u32(arrayType);
  out.u32(typeId(elemType));
  out.u64(list.length);
  for (let i = 0; i < list.length; i++) out.scalar(elemType, list[i]!);
}

function typeId(type: string): number {
  return (valueTypes as readonly string[]).indexOf(type);
}

function align(value: number, alignment: number): number {
  return Math.ceil(value / alignment) * alignment;
}

/** Little-endian bytes that grow. */
class Writer {
  length = 0;
  private bytes = new Uint8Array(1 << 16);
  private view = new DataView(this.bytes.buffer);
  private readonly utf8 = new TextEncoder();

  u32(value: number): void {
    this.room(4);
    this.view.setUint32(this.length, value, true);
    this.length += 4;
  }

  u64(value: number): void {
    this.u32(value % 2 ** 32);
    this.u32(Math.floor(value / 2 ** 32));
  }

  string(text: string): void {
    const encoded = this.utf8.encode(text);
    this.u64(encoded.length);
    this.room(encoded.length);
    this.bytes.set(encoded, this.length);
    this.length += encoded.length;
  }

  scalar(type: string, value: number | string | boolean | ArrayLike<unknown>): void {
    if (type === 'string') this.string(value as string);
    else if (type === 'u64') this.u64(value as number);
    else if (type === 'bool') this.byte(value ? 1 : 0);
    else if (type === 'f32') this.f32(value as number);
    else this.u32(value as number); // i32 too: setUint32 takes a number modulo 2^32
  }

  private byte(value: number): void {
    this.room(1);
    this.bytes[this.length++] = value;
  }

  private f32(value: number): void {
    this.room(4);
    this.view.setFloat32(this.length, value, true);
    this.length += 4;
  }

  padTo(length: number): void {
    this.room(length - this.length);
    this.length = length;
  }

  done(): Uint8Array {
    return this.bytes.slice(0, this.length);
  }

  private room(count: number): void {
    if (this.length + count <= this.bytes.length) return;
    const bigger = new Uint8Array(Math.max(this.length + count, this.bytes.length * 2));
    bigger.set(this.bytes);
    this.bytes = bigger;
    this.view = new DataView(bigger.buffer);
  }
}
