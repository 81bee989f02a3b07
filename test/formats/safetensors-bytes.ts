// Checkpoints put together by hand, valid or not, and files in memory. Knows the byte layout only, nothing of src/.

import type { ByteSource, FileSet } from '../../src/formats/types.ts';

export interface RawTensor {
  dtype: string;
  shape: number[];
  data: Uint8Array;
}

/** @param header replaces the table that follows from the tensors */
export function safetensors(tensors: Record<string, RawTensor>, header?: unknown): Uint8Array {
  let end = 0;
  const table: Record<string, unknown> = {};
  for (const [name, { dtype, shape, data }] of Object.entries(tensors)) {
    table[name] = { dtype, shape, data_offsets: [end, end + data.length] };
    end += data.length;
  }
  const text = typeof header === 'string' ? header : JSON.stringify(header ?? table);
  return container(text, concat(Object.values(tensors).map(({ data }) => data)));
}

export function container(header: string, data: Uint8Array = new Uint8Array(0)): Uint8Array {
  const json = new TextEncoder().encode(header);
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, BigInt(json.length), true);
  return concat([length, json, data]);
}

export function concat(parts: readonly Uint8Array[]): Uint8Array {
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

export function floats(dtype: 'F32' | 'BF16', shape: number[], values: ArrayLike<number>): RawTensor {
  const numbers = Float32Array.from(values);
  if (dtype === 'F32') return { dtype, shape, data: new Uint8Array(numbers.buffer) };
  const bits = new Uint32Array(numbers.buffer);
  return { dtype, shape, data: new Uint8Array(Uint16Array.from(bits, (word) => word >>> 16).buffer) };
}

/** Four rows a quarter of the matrix apart in a byte. @param codes [rows][cols] of -1, 0, 1; rows a multiple of 4 */
export function packed(codes: readonly (readonly number[])[]): RawTensor {
  const quarter = codes.length / 4;
  const cols = codes[0]!.length;
  const data = new Uint8Array(quarter * cols);
  for (let r = 0; r < quarter; r++) {
    for (let c = 0; c < cols; c++) {
      for (let i = 0; i < 4; i++) data[r * cols + c]! |= (codes[i * quarter + r]![c]! + 1) << (2 * i);
    }
  }
  return { dtype: 'U8', shape: [quarter, cols], data };
}

export interface MemoryFiles extends FileSet {
  /** What is open now, and every file that was asked for. */
  readonly open_: Set<string>;
  readonly asked: string[];
}

/** @param files bytes, text, or anything else as JSON; undefined is no file */
export function memoryFiles(files: Record<string, unknown>, name = 'models/tiny'): MemoryFiles {
  const open_ = new Set<string>();
  const asked: string[] = [];
  return {
    name,
    open_,
    asked,
    async open(path) {
      asked.push(path);
      const value = files[path];
      if (value === undefined) return undefined;
      const text = typeof value === 'string' ? value : JSON.stringify(value);
      open_.add(path);
      return memorySource(path, value instanceof Uint8Array ? value : new TextEncoder().encode(text), () =>
        open_.delete(path),
      );
    },
  };
}

export function memorySource(name: string, bytes: Uint8Array, onClose = () => {}): ByteSource {
  return {
    name,
    byteLength: bytes.length,
    async read(offset, length, signal) {
      signal?.throwIfAborted();
      if (offset + length > bytes.length) throw new Error(`read beyond the end of ${name}`);
      return bytes.subarray(offset, offset + length);
    },
    async close() {
      onClose();
    },
  };
}
