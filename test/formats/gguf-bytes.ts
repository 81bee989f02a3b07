// GGUF headers put together by hand, valid or not. Knows the byte layout only, nothing of src/.

export type Part = Uint8Array;

export function u32(value: number): Part {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

export function u64(value: number | bigint): Part {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(value), true);
  return bytes;
}

export function str(text: string): Part {
  const bytes = new TextEncoder().encode(text);
  return join([u64(bytes.length), bytes]);
}

export function join(parts: readonly Part[]): Part {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export const type = { u8: 0, i8: 1, u16: 2, u32: 4, i32: 5, f32: 6, bool: 7, string: 8, array: 9, u64: 10, i64: 11 };

export function key(name: string, typeId: number, ...value: Part[]): Part {
  return join([str(name), u32(typeId), ...value]);
}

export interface RawTensor {
  name?: string;
  dims?: (number | bigint)[];
  typeId?: number;
  offset?: number | bigint;
}

export function tensor({ name = 't', dims = [32], typeId = 0, offset = 0 }: RawTensor): Part {
  return join([str(name), u32(dims.length), ...dims.map(u64), u32(typeId), u64(offset)]);
}

export interface RawFile {
  magic?: string;
  version?: number;
  keys?: Part[];
  tensors?: Part[];
  nKeys?: number | bigint;
  nTensors?: number | bigint;
  align?: number;
  dataBytes?: number;
}

/** The counts are those of the lists unless given. */
export function file(raw: RawFile): Uint8Array {
  const { magic = 'GGUF', version = 3, keys = [], tensors = [], align = 32, dataBytes = 0 } = raw;
  const head = join([
    new TextEncoder().encode(magic),
    u32(version),
    u64(raw.nTensors ?? tensors.length),
    u64(raw.nKeys ?? keys.length),
    ...keys,
    ...tensors,
  ]);
  const padded = Math.ceil(head.length / align) * align;
  return join([head, new Uint8Array(tensors.length ? padded - head.length + dataBytes : 0)]);
}
