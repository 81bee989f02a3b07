// As much of protobuf's wire format as a SentencePiece model needs: fields one after the other, checked against the end
// of the bytes.

import { TernlightError } from '../errors.ts';

export interface Field {
  readonly number: number;
  /** Of a varint; NaN for others. */
  readonly varint: number;
  /** Of everything else: the bytes after the tag (and length), a view. */
  readonly bytes: Uint8Array;
}

/** @param where for messages */
export function* fields(bytes: Uint8Array, where: string): Iterable<Field> {
  let at = 0;
  const broken = () => new TernlightError('invalid-file', `${where}: is damaged at byte ${at} of a message`);
  const varint = () => {
    let value = 0;
    for (let shift = 1; ; shift *= 128) {
      const byte = bytes[at++];
      if (byte === undefined || shift > 2 ** 63) throw broken();
      value += (byte & 127) * shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const tag = varint();
    const number = Math.floor(tag / 8);
    const kind = tag % 8;
    if (number === 0) throw broken();
    if (kind === 0) {
      yield { number, varint: varint(), bytes: bytes.subarray(at, at) };
      continue;
    }
    const length = kind === 1 ? 8 : kind === 5 ? 4 : kind === 2 ? varint() : Number.NaN;
    if (!(at + length <= bytes.length)) throw broken();
    yield { number, varint: Number.NaN, bytes: bytes.subarray(at, at + length) };
    at += length;
  }
}
