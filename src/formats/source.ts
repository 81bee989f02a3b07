// Sources of bytes that need nothing of the platform: memory, Blob. (A file is in platform/, an address in
// source-url.ts, a stream in source-stream.ts.)

import { TernlightError } from '../errors.ts';
import { checkRange } from './range.ts';
import type { ByteSource } from './types.ts';

export { streamSource } from './source-stream.ts';
export {
  ChangedError,
  type FileVersion,
  type UrlByteSource,
  type UrlSourceOptions,
  urlSource,
  withoutSecrets,
} from './source-url.ts';

/** Bytes in memory; reads are views, not copies. */
export function bytesSource(data: ArrayBuffer | Uint8Array, name = 'bytes'): ByteSource {
  const bytes = data instanceof Uint8Array ? data : new Uint8Array(data);
  return {
    name,
    byteLength: bytes.byteLength,
    async read(offsetBytes, lengthBytes, signal) {
      signal?.throwIfAborted();
      checkRange(name, bytes.byteLength, offsetBytes, lengthBytes);
      return bytes.subarray(offsetBytes, offsetBytes + lengthBytes);
    },
    async close() {},
  };
}

/** A Blob or a File of a file input; read in slices, never as a whole. */
export function blobSource(blob: Blob, name = blobName(blob)): ByteSource {
  return {
    name,
    byteLength: blob.size,
    async read(offsetBytes, lengthBytes, signal) {
      signal?.throwIfAborted();
      checkRange(name, blob.size, offsetBytes, lengthBytes);
      try {
        return new Uint8Array(await blob.slice(offsetBytes, offsetBytes + lengthBytes).arrayBuffer());
      } catch (cause) {
        // A File whose file on disk has changed or gone since it was chosen.
        throw new TernlightError('io', `source: ${name} could not be read: ${cause}; choose the file again`, { cause });
      }
    },
    async close() {},
  };
}

function blobName(blob: Blob): string {
  return 'name' in blob && typeof blob.name === 'string' ? blob.name : 'blob';
}
