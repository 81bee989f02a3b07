// The builds without threads are those with threads over a memory that is not shared: one bit of the import says so.
import { TernlightError } from '../errors.ts';

const IMPORTS = 2;
const KIND_MEMORY = 2;
const SHARED = 2;

/** A copy of a module whose imported memory is not shared. It must be given one with a maximum. */
export function unshared(module: Uint8Array): Uint8Array<ArrayBuffer> {
  const bytes = Uint8Array.from(module);
  let at = 8; // magic and version
  const number = () => {
    let value = 0;
    for (let shift = 0; ; shift += 7) {
      const byte = bytes[at++]!;
      value |= (byte & 127) << shift;
      if (byte < 128) return value;
    }
  };
  while (at < bytes.length) {
    const section = bytes[at++];
    const length = number();
    if (section !== IMPORTS) {
      at += length;
      continue;
    }
    for (let count = number(); count > 0; count--) {
      for (let names = 0; names < 2; names++) {
        const nameBytes = number(); // moves `at` itself
        at += nameBytes;
      }
      const kind = bytes[at++];
      if (kind === KIND_MEMORY) {
        bytes[at] = bytes[at]! & ~SHARED;
        return bytes;
      }
      // The only other import is abort, a function: its type follows.
      number();
    }
  }
  throw new TernlightError('internal', 'kernels: the module imports no memory');
}
