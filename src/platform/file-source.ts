// A file of the local disk as a source of bytes, for Node, Deno and Bun. Positioned reads, nothing kept.

import type { FileHandle } from 'node:fs/promises';
import { TernlightError } from '../errors.ts';
import { checkRange } from '../formats/range.ts';
import type { ByteSource } from '../formats/types.ts';

/** Node reads at most 2^31 - 1 bytes at a time. */
const maxReadBytes = 1 << 30;

/** Opens the file. Throws 'io' where it is missing, a directory, or not to be read. */
export async function fileSource(path: string): Promise<ByteSource> {
  const fs = nodeFs();
  let file: FileHandle | undefined;
  try {
    file = await fs.open(path, 'r');
    const stat = await file.stat();
    if (stat.isDirectory()) throw Object.assign(new Error(), { code: 'EISDIR' });
    return new FileSource(path, file, stat.size);
  } catch (cause) {
    await file?.close();
    throw failure(path, cause);
  }
}

class FileSource implements ByteSource {
  constructor(
    readonly name: string,
    private readonly file: FileHandle,
    readonly byteLength: number,
  ) {}

  async read(offsetBytes: number, lengthBytes: number, signal?: AbortSignal): Promise<Uint8Array> {
    checkRange(this.name, this.byteLength, offsetBytes, lengthBytes);
    const out = new Uint8Array(lengthBytes);
    await this.fill(offsetBytes, out, signal);
    return out;
  }

  async readInto(offsetBytes: number, target: Uint8Array, signal?: AbortSignal): Promise<void> {
    checkRange(this.name, this.byteLength, offsetBytes, target.byteLength);
    if (target.buffer instanceof ArrayBuffer || readsIntoShared()) await this.fill(offsetBytes, target, signal);
    else target.set(await this.read(offsetBytes, target.byteLength, signal));
  }

  private async fill(offsetBytes: number, target: Uint8Array, signal: AbortSignal | undefined): Promise<void> {
    const lengthBytes = target.byteLength;
    let filled = 0;
    while (filled < lengthBytes) {
      signal?.throwIfAborted();
      const count = Math.min(lengthBytes - filled, maxReadBytes);
      const { bytesRead } = await this.file.read(target, filled, count, offsetBytes + filled).catch((cause) => {
        throw failure(this.name, cause);
      });
      if (bytesRead === 0) {
        throw new TernlightError(
          'io',
          `source: ${this.name} has shrunk: it ends at ${offsetBytes + filled}, expected ${this.byteLength} bytes; is it still being written?`,
        );
      }
      filled += bytesRead;
    }
  }

  async close(): Promise<void> {
    await this.file.close();
  }
}

/** Node does; of the others it is not known. */
function readsIntoShared(): boolean {
  return !('Bun' in globalThis) && !('Deno' in globalThis);
}

function failure(path: string, cause: unknown): TernlightError {
  const { code } = cause as { code?: string };
  const texts: Record<string, string> = {
    ENOENT: 'does not exist; check the path',
    ENOTDIR: 'does not exist: a part of its path is not a directory; check the path',
    EISDIR: 'is a directory, expected a file',
    EACCES: 'may not be read; check its permissions',
    EPERM: 'may not be read; check its permissions',
    EMFILE: 'could not be opened: too many files are open',
  };
  return new TernlightError('io', `source: ${path} ${texts[code ?? ''] ?? `could not be read: ${cause}`}`, { cause });
}

/** The runtime's file system. Not by an import: bundlers for browsers would stumble over it. */
export function nodeFs(): typeof import('node:fs/promises') {
  return process.getBuiltinModule('node:fs/promises');
}
