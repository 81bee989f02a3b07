// Checks that every source makes before it reads.

import { TernlightError } from '../errors.ts';

/** Throws unless [offset, offset + length) lies in the source, as far as its length is known. */
export function checkRange(
  name: string,
  byteLength: number | undefined,
  offsetBytes: number,
  lengthBytes: number,
): void {
  if (
    !(Number.isSafeInteger(offsetBytes) && Number.isSafeInteger(lengthBytes) && offsetBytes >= 0 && lengthBytes >= 0)
  ) {
    throw new TernlightError('internal', `source: ${name}: read of ${lengthBytes} bytes at ${offsetBytes}`);
  }
  if (byteLength !== undefined && offsetBytes + lengthBytes > byteLength)
    throw pastEnd(name, byteLength, offsetBytes + lengthBytes);
}

export function pastEnd(name: string, byteLength: number, endBytes: number): TernlightError {
  return new TernlightError(
    'invalid-file',
    `source: ${name} is cut short: has ${byteLength} bytes, expected ${endBytes} or more; download it again`,
  );
}
