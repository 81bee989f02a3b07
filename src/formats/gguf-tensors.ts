// The tensor table of a GGUF header: each entry understood, sized, and checked against the others and the file.

import { TernlightError } from '../errors.ts';
import { encodingById } from './encodings/index.ts';
import type { Cursor } from './gguf-cursor.ts';
import { placeholder, settleTypes, unsupportedType } from './gguf-types.ts';
import type { Encoding, TensorInfo } from './types.ts';

/** llama.cpp's limit: 64 with the terminator. */
const maxNameBytes = 64;

/**
 * As TensorInfo, but the offset still counts from the start of the data, and an encoding that only the extents tell is
 * a guess until placeTensors.
 */
export function readTensorInfo(cursor: Cursor, index: number): TensorInfo {
  cursor.where = `tensor ${index}`;
  const name = cursor.string(maxNameBytes);
  cursor.where = `tensor ${JSON.stringify(name)}`;
  const nDims = cursor.u32();
  if (nDims < 1 || nDims > 4) throw cursor.fault(`has ${nDims} dimensions, expected 1 to 4`);
  const dims: number[] = [];
  let elems = 1;
  for (let d = 0; d < nDims; d++) {
    const dim = cursor.count();
    dims.push(dim);
    elems *= dim;
    if (dim === 0) throw cursor.fault(`has a dimension of 0, expected at least 1`);
    if (!Number.isSafeInteger(elems)) throw cursor.fault(`has ${dims.join(' x ')} elements, expected less than 2^53`);
  }
  const id = cursor.u32();
  const encoding = encodingById(id) ?? placeholder(id);
  if (!encoding) {
    throw new TernlightError('unsupported', `gguf: ${cursor.fileName}: ${cursor.where} ${unsupportedType(id)}`);
  }
  const lengthBytes = dataBytes(cursor, encoding, dims, elems);
  const offsetBytes = cursor.count();
  return { name, dims, encoding, offsetBytes, lengthBytes };
}

function dataBytes(cursor: Cursor, encoding: Encoding, dims: readonly number[], elems: number): number {
  // A row holds whole blocks, except where there is one scale for the tensor: there the blocks run on (I2_S).
  const flat = encoding.family === 'ternary' && encoding.scaleElems === 'tensor';
  const run = flat ? elems : dims[0]!;
  if (run % encoding.blockElems !== 0) {
    const what = flat ? `${elems} elements` : `rows of ${run} elements`;
    throw cursor.fault(`has ${what}, expected a multiple of ${encoding.blockElems} in ${encoding.name}`);
  }
  return (elems / encoding.blockElems) * encoding.blockBytes + (encoding.trailerBytes ?? 0);
}

/** Sorted, with absolute offsets; throws on what is unaligned, overlapping, of the same name or beyond the file. */
export function placeTensors(
  fileName: string,
  tensors: readonly TensorInfo[],
  dataOffsetBytes: number,
  alignment: number,
  fileBytes: number | undefined,
): TensorInfo[] {
  const invalid = (text: string) => new TernlightError('invalid-file', `gguf: ${fileName}: ${text}`);
  const names = new Set<string>();
  for (const { name, offsetBytes } of tensors) {
    if (names.has(name)) throw invalid(`tensor ${JSON.stringify(name)} is there twice`);
    names.add(name);
    if (offsetBytes % alignment !== 0) {
      throw invalid(`tensor ${JSON.stringify(name)} has offset ${offsetBytes}, expected a multiple of ${alignment}`);
    }
  }
  const sorted = tensors
    .map((tensor): TensorInfo => ({ ...tensor, offsetBytes: dataOffsetBytes + tensor.offsetBytes }))
    .sort((a, b) => a.offsetBytes - b.offsetBytes);
  const placed = [...settleTypes(fileName, sorted, alignment, fileBytes)];
  let previous: TensorInfo | undefined;
  for (const tensor of placed) {
    if (previous && previous.offsetBytes + previous.lengthBytes > tensor.offsetBytes) {
      throw invalid(
        `tensors ${JSON.stringify(previous.name)} and ${JSON.stringify(tensor.name)} overlap at byte ${tensor.offsetBytes}`,
      );
    }
    previous = tensor;
  }
  if (previous) {
    const endBytes = previous.offsetBytes + previous.lengthBytes;
    if (!Number.isSafeInteger(endBytes)) throw invalid(`tensor ${JSON.stringify(previous.name)} ends beyond 2^53`);
    if (fileBytes !== undefined && endBytes > fileBytes) {
      throw invalid(
        `the file is cut short: has ${fileBytes} bytes, tensor ${JSON.stringify(previous.name)} ends at ${endBytes}; download it again`,
      );
    }
  }
  return placed;
}
