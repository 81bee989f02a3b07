// The container of safetensors: a length, a table in JSON, data. Everything the table says is checked against itself
// and the file's size before anything is allocated for it. Knows no model and reads no tensor.

import { TernlightError } from '../errors.ts';
import { repeatedKey } from './safetensors-keys.ts';
import { describe, quote } from './safetensors-text.ts';
import { looksLike } from './sniff.ts';
import type { ByteSource } from './types.ts';

export interface SafeTensor {
  readonly name: string;
  /** "BF16", "U8" ... */
  readonly dtype: string;
  /** Slowest-varying first, as in PyTorch: a linear layer is [out, in]; a scalar is []. */
  readonly shape: readonly number[];
  readonly source: ByteSource;
  /** Absolute, from the start of the source; not aligned to anything. */
  readonly offsetBytes: number;
  readonly lengthBytes: number;
}

/** The limit of the format's own reader. */
const maxHeaderBytes = 100_000_000;

const elemBytes = new Map(
  Object.entries({
    ...{ BOOL: 1, U8: 1, I8: 1, F8_E4M3: 1, F8_E5M2: 1, I16: 2, U16: 2, F16: 2, BF16: 2 },
    ...{ I32: 4, U32: 4, F32: 4, I64: 8, U64: 8, F64: 8 },
  }),
);

/** The tensors in the order of their data. Throws 'invalid-file', or 'unsupported' for element types not known here. */
export async function readTensorTable(source: ByteSource, signal?: AbortSignal): Promise<SafeTensor[]> {
  const { text, headerBytes } = await readHeader(source, signal);
  const table = parseHeader(source.name, text);
  const tensors: SafeTensor[] = [];
  for (const [name, entry] of Object.entries(table)) {
    if (name === '__metadata__') checkMetadata(source.name, entry);
    else tensors.push(readEntry(source, name, entry));
  }
  tensors.sort((a, b) => a.offsetBytes - b.offsetBytes || a.lengthBytes - b.lengthBytes);
  checkCover(source, tensors, headerBytes);
  return tensors.map((tensor) => ({ ...tensor, offsetBytes: headerBytes + tensor.offsetBytes }));
}

/** @returns headerBytes: where the data begins. */
async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<{ text: string; headerBytes: number }> {
  const { name, byteLength } = source;
  const probe = await source.read(0, Math.min(byteLength ?? 8, 256), signal);
  if (probe.length < 8) throw notSafetensors(name, probe);
  const view = new DataView(probe.buffer, probe.byteOffset, 8);
  const length = view.getUint32(0, true) + view.getUint32(4, true) * 2 ** 32;
  // What is no safetensors file has an absurd length there; what it is says more than that.
  const isOne = length >= 2 && length < 2 ** 40 && (probe[8] ?? 0x7b) === 0x7b && view.getUint32(0) !== 0x47475546;
  if (!isOne) throw notSafetensors(name, probe);
  if (length > maxHeaderBytes) {
    throw invalid(name, `has a header of ${length} bytes, expected at most ${maxHeaderBytes}`);
  }
  if (byteLength !== undefined && 8 + length > byteLength) {
    throw invalid(name, `is cut short: has ${byteLength} bytes, the header ends at ${8 + length}; download it again`);
  }
  const bytes = await source.read(8, length, signal);
  try {
    return { text: new TextDecoder('utf-8', { fatal: true }).decode(bytes), headerBytes: 8 + length };
  } catch {
    throw invalid(name, 'has a header that is not UTF-8; the file is damaged');
  }
}

function notSafetensors(name: string, start: Uint8Array): TernlightError {
  const gguf = String.fromCharCode(...start.subarray(0, 4)) === 'GGUF';
  return invalid(name, `is not a safetensors file: it looks like ${gguf ? 'a GGUF file' : looksLike(start)}`);
}

function parseHeader(name: string, text: string): Record<string, unknown> {
  let table: unknown;
  try {
    table = JSON.parse(text);
  } catch {
    throw invalid(name, 'has a header that is not JSON; the file is damaged');
  }
  if (!isObject(table)) throw invalid(name, `has a header that is ${describe(table)}, expected an object`);
  const repeated = repeatedKey(text);
  if (repeated !== undefined) throw invalid(name, `tensor ${quote(repeated)} is there twice`);
  return table;
}

function checkMetadata(fileName: string, entry: unknown): void {
  if (isObject(entry) && Object.values(entry).every((value) => typeof value === 'string')) return;
  throw invalid(fileName, `__metadata__ is ${describe(entry)}, expected an object of strings`);
}

/** The offset still counts from the start of the data. */
function readEntry(source: ByteSource, name: string, entry: unknown): SafeTensor {
  const fault = (text: string) => invalid(source.name, `tensor ${quote(name)} ${text}`);
  if (!isObject(entry)) throw fault(`is ${describe(entry)}, expected an object`);
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== 'string') throw fault(`has dtype ${describe(dtype)}, expected a string`);
  const size = elemBytes.get(dtype);
  if (size === undefined) {
    throw new TernlightError(
      'unsupported',
      `safetensors: ${source.name}: tensor ${quote(name)} has dtype ${quote(dtype)}, expected one of ${[...elemBytes.keys()].join(', ')}`,
    );
  }
  if (!isCounts(shape)) throw fault(`has shape ${describe(shape)}, expected a list of integers from 0 to 2^53`);
  const elems = shape.reduce((product, dim) => product * dim, 1);
  if (!Number.isSafeInteger(elems * size)) throw fault(`has shape ${describe(shape)}, expected less than 2^53 bytes`);
  if (!isCounts(offsets) || offsets.length !== 2 || offsets[0]! > offsets[1]!) {
    throw fault(`has data_offsets ${describe(offsets)}, expected [begin, end]`);
  }
  const lengthBytes = offsets[1]! - offsets[0]!;
  if (lengthBytes !== elems * size) {
    throw fault(`has ${lengthBytes} bytes, expected ${elems * size} for ${dtype} ${describe(shape)}`);
  }
  return { name, dtype, shape, source, offsetBytes: offsets[0]!, lengthBytes };
}

/** The data must be the tensors, one after the other, to the end of the file. */
function checkCover(source: ByteSource, tensors: readonly SafeTensor[], headerBytes: number): void {
  let end = 0;
  let last = 'the header';
  for (const { name, offsetBytes, lengthBytes } of tensors) {
    if (offsetBytes < end) throw invalid(source.name, `tensor ${quote(name)} overlaps ${last} at byte ${offsetBytes}`);
    if (offsetBytes > end) {
      throw invalid(source.name, `bytes ${end} to ${offsetBytes} before tensor ${quote(name)} belong to no tensor`);
    }
    end = offsetBytes + lengthBytes;
    last = `tensor ${quote(name)}`;
  }
  const fileBytes = source.byteLength;
  if (fileBytes === undefined || headerBytes + end === fileBytes) return;
  const what = `has ${fileBytes} bytes, ${last} ends at ${headerBytes + end}`;
  throw invalid(
    source.name,
    headerBytes + end > fileBytes
      ? `is cut short: ${what}; download it again`
      : `${what}; the rest belongs to no tensor`,
  );
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function isCounts(value: unknown): value is number[] {
  return Array.isArray(value) && value.every((item) => Number.isSafeInteger(item) && item >= 0);
}

function invalid(fileName: string, text: string): TernlightError {
  return new TernlightError('invalid-file', `safetensors: ${fileName}: ${text}`);
}
