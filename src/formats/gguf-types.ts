// What the type ids of GGUF mean. The same id means different things in different forks of llama.cpp: where the id
// does not tell, the room that a tensor has in the file does.

import { TernlightError } from '../errors.ts';
import { encodings } from './encodings/index.ts';
import { q2_0, q2_0Group128 } from './encodings/q2_0.ts';
import type { Encoding, TensorInfo } from './types.ts';

/** Types that are not read. */
const names: Readonly<Record<number, string>> = {
  9: 'Q8_1',
  15: 'Q8_K',
  16: 'IQ2_XXS',
  17: 'IQ2_XS',
  18: 'IQ3_XXS',
  19: 'IQ1_S',
  20: 'IQ4_NL',
  21: 'IQ3_S',
  22: 'IQ2_S',
  23: 'IQ4_XS',
  24: 'I8',
  25: 'I16',
  26: 'I32',
  27: 'I64',
  28: 'F64',
  29: 'IQ1_M',
  37: 'I8_S',
  38: 'TL1 of bitnet.cpp',
  39: 'MXFP4, or TL2 of bitnet.cpp',
  40: 'NVFP4',
  134: 'IQ1_BN of ik_llama.cpp',
  135: 'IQ2_BN of ik_llama.cpp',
};

const removed: ReadonlySet<number> = new Set([4, 5, 31, 32, 33]);

const reExport = 're-export the model as I2_S or TQ2_0';

/** The rest of a sentence that begins with the tensor's name. */
export function unsupportedType(id: number): string {
  if (removed.has(id)) return removedType(id);
  const name = names[id];
  if (!name) return `has the unknown type id ${id}, expected one of ${readable()}`;
  const cure = id === 134 || id === 135 ? `; ${reExport}` : '';
  return `has type ${name} (id ${id}), which is not supported, expected one of ${readable()}${cure}`;
}

function removedType(id: number): string {
  return `has type id ${id}, which llama.cpp removed, expected one of ${readable()}; convert the model anew`;
}

function readable(): string {
  return encodings.map((encoding) => encoding.name).join(', ');
}

/**
 * Stands in for a type of which settleTypes says why it is refused, if this is one of those: that takes the offsets
 * of all tensors.
 */
export function placeholder(id: number): Encoding | undefined {
  if (id !== 38 && id !== 39) return undefined;
  return { id, name: names[id]!, family: 'dense', blockElems: 1, blockBytes: 0, decode() {} };
}

/**
 * Settles the types that only the extents tell. The tensors come in the order of their offsets, which are absolute,
 * with the encoding that their id alone suggests. Throws for those that cannot be read or told.
 */
export function settleTypes(
  fileName: string,
  tensors: readonly TensorInfo[],
  alignment: number,
  fileBytes: number | undefined,
): readonly TensorInfo[] {
  const places = tensors.map((tensor, i): Place => {
    const next = tensors[i + 1];
    const endBytes = next ? next.offsetBytes : fileBytes;
    const roomBytes = endBytes === undefined ? undefined : endBytes - tensor.offsetBytes;
    return { tensor, roomBytes, last: next === undefined };
  });
  for (const place of places) refuseTables(fileName, place);
  const q2 = places.filter(({ tensor }) => tensor.encoding.id === q2_0.id);
  if (q2.length === 0) return tensors;
  const encoding = groupsOf(fileName, q2, alignment);
  return tensors.map((tensor) =>
    tensor.encoding.id === q2_0.id ? { ...tensor, encoding, lengthBytes: bytesIn(encoding, tensor) } : tensor,
  );
}

interface Place {
  readonly tensor: TensorInfo;
  /** To the next tensor or the end of the file; undefined if nobody knows. */
  readonly roomBytes: number | undefined;
  readonly last: boolean;
}

/** The lookup tables of bitnet.cpp, and what else has their ids. */
function refuseTables(fileName: string, { tensor, roomBytes }: Place): void {
  const { id } = tensor.encoding;
  if (id !== 38 && id !== 39) return;
  // A quarter of a byte for an element at most, and two small blocks for scales; half a byte and more in the others.
  const elems = tensor.dims.reduce((product, dim) => product * dim, 1);
  const table = roomBytes === undefined || roomBytes - 64 < 0.4 * elems;
  const empty = roomBytes === undefined || roomBytes < 0.2 * elems;
  let text: string;
  if (table) {
    const name = id === 38 ? names[38] : empty ? names[39] : 'TL2 of bitnet.cpp';
    text = `has type ${name} (id ${id}), whose tile sizes are not stored in the file, expected one of ${readable()}; ${reExport}`;
  } else {
    text =
      id === 38 ? removedType(id) : `has type MXFP4 (id ${id}), which is not supported, expected one of ${readable()}`;
  }
  throw new TernlightError('unsupported', `gguf: ${fileName}: tensor ${JSON.stringify(tensor.name)} ${text}`);
}

/**
 * Which Q2_0 a file has: the one whose sizes, padded, reproduce the offsets. The end of the file counts if nothing
 * else decides, for it may be cut off or have something behind it.
 */
function groupsOf(fileName: string, places: readonly Place[], alignment: number): Encoding {
  const invalid = ({ tensor }: Place, text: string) =>
    new TernlightError('invalid-file', `gguf: ${fileName}: tensor ${JSON.stringify(tensor.name)} ${text}`);
  let settled: { encoding: Encoding; by: Place } | undefined;
  let unsettled: Place | undefined;
  for (const place of places) {
    const fits = fitting(place, alignment);
    if (fits.length === 0) {
      throw invalid(place, `${roomOf(place)}, expected ${extents(place)}; the file is damaged: download it again`);
    }
    if (fits.length !== 1) {
      unsettled = place;
      continue;
    }
    const encoding = fits[0]!;
    if (settled && settled.encoding !== encoding) {
      const other = `tensor ${JSON.stringify(settled.by.tensor.name)} in groups of ${settled.encoding.blockElems}`;
      throw invalid(
        place,
        `is Q2_0 (id 42) in groups of ${encoding.blockElems}, but ${other}, expected one kind in a file; convert the model anew`,
      );
    }
    settled ??= { encoding, by: place };
  }
  if (settled) return settled.encoding;
  const { tensor, roomBytes } = unsettled!;
  // Too short for the mainline form: taken for it, placeTensors says where the file should end.
  if (roomBytes !== undefined && roomBytes < bytesIn(q2_0, tensor)) return q2_0;
  const cure =
    roomBytes === undefined
      ? 'open the file from a source that knows its length'
      : 'convert the model to TQ2_0, or to PQ2_0 (id 142)';
  throw invalid(
    unsettled!,
    `${roomOf(unsettled!)}, which does not tell its form, expected either ${extents(unsettled!)}; ${cure}`,
  );
}

/** The forms of Q2_0 that fill the tensor's room; of the last one, where the file may be cut or go on, what rows allow. */
function fitting({ tensor, roomBytes, last }: Place, alignment: number): Encoding[] {
  const possible = [q2_0, q2_0Group128].filter(({ blockElems }) => tensor.dims[0]! % blockElems === 0);
  if (roomBytes === undefined) return possible;
  const fits = possible.filter((encoding) => {
    const bytes = bytesIn(encoding, tensor);
    const padded = Math.ceil(bytes / alignment) * alignment;
    return last ? roomBytes >= bytes && roomBytes <= padded : roomBytes === padded;
  });
  return fits.length === 0 && last ? possible : fits;
}

function bytesIn({ blockElems, blockBytes }: Encoding, { dims }: TensorInfo): number {
  return (dims.reduce((product, dim) => product * dim, 1) / blockElems) * blockBytes;
}

function roomOf({ roomBytes, last }: Place): string {
  const room = roomBytes === undefined ? 'an unknown number of' : roomBytes;
  return `has type Q2_0 (id 42) and ${room} bytes to the ${last ? 'end of the file' : 'next tensor'}`;
}

function extents({ tensor }: Place): string {
  const of64 = `${bytesIn(q2_0, tensor)} (groups of 64) and padding`;
  if (tensor.dims[0]! % 128 !== 0) return of64;
  return `${of64} or ${bytesIn(q2_0Group128, tensor)} (groups of 128) and padding`;
}
