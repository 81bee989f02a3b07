// A source that notes what is read of another one, and can insist on rising offsets as a sequential source does.

import type { ByteSource } from '../../src/formats/types.ts';

export interface CountingSource extends ByteSource {
  readonly reads: { offsetBytes: number; lengthBytes: number }[];
  readonly readBytes: number;
}

export function countingSource(inner: ByteSource): CountingSource {
  const reads: CountingSource['reads'] = [];
  return {
    name: inner.name,
    reads,
    get byteLength() {
      return inner.byteLength;
    },
    get readBytes() {
      return reads.reduce((sum, read) => sum + read.lengthBytes, 0);
    },
    read(offsetBytes, lengthBytes, signal) {
      reads.push({ offsetBytes, lengthBytes });
      return inner.read(offsetBytes, lengthBytes, signal);
    },
    close: () => inner.close(),
  };
}
