// A backend over named blobs, for OPFS and the Cache API: each piece is one, there as a whole or not.
import { checkRange } from '../formats/range.ts';
import type { ByteSource } from '../formats/types.ts';
import { type Backend, type Slot, storageError } from './backend.ts';

export interface Blobs {
  readonly name: string;
  names(): Promise<string[]>;
  get(name: string): Promise<Blob | undefined>;
  put(name: string, bytes: Uint8Array | Blob): Promise<void>;
  /** Nothing happens where there is none. */
  delete(name: string): Promise<void>;
}

const recordSuffix = '.json';

export function blobsBackend(blobs: Blobs, rest: Pick<Backend, 'tryLock' | 'freeBytes' | 'persist'>): Backend {
  const { name } = blobs;
  async function guarded<T>(what: string, work: Promise<T>): Promise<T> {
    try {
      return await work;
    } catch (cause) {
      throw storageError(name, what, cause);
    }
  }
  const names = () => guarded('could not be listed', blobs.names());
  const put = (file: string, bytes: Uint8Array | Blob) => guarded('could not be written', blobs.put(file, bytes));
  const get = (file: string) => guarded('could not be read', blobs.get(file));

  return {
    name,
    ...rest,
    async slots() {
      const found = (await names()).filter((file) => file.endsWith(recordSuffix));
      return found.map((file) => file.slice(0, -recordSuffix.length));
    },
    async readRecord(id) {
      // Another tab may replace it between the look-up and the reading: then that is to be read.
      for (let attempt = 0; ; attempt++) {
        try {
          return await (await get(id + recordSuffix))?.text();
        } catch (cause) {
          if (attempt === 2) throw storageError(name, 'could not be read', cause);
        }
      }
    },
    writeRecord: (id, text) => put(id + recordSuffix, new TextEncoder().encode(text)),
    async pieces({ id, record }) {
      const found = new Set<number>();
      for (const file of await names()) {
        const index = Number(file.slice(id.length + 1));
        // Chromium lists what it writes to until a file is closed, "ID.0.crswap", and cannot open it.
        if (file !== `${id}.${index}`) continue;
        // Where writing is not all or nothing, a piece may be short.
        if ((await get(file))?.size === pieceLength(record, index)) found.add(index);
      }
      return found;
    },
    write: ({ id }, index, bytes) => put(`${id}.${index}`, bytes),
    open: async (slot) => piecesSource(slot, (index) => get(`${slot.id}.${index}`)),
    async remove(id) {
      const files = (await names()).filter((file) => file.startsWith(`${id}.`));
      // The record last: pieces without one would never be found again.
      for (const file of [...files.filter((f) => !f.endsWith(recordSuffix)), id + recordSuffix])
        await guarded('could not be cleared', blobs.delete(file));
    },
  };
}

/** Bytes of a piece. */
export function pieceLength({ bytes, pieceBytes }: Slot['record'], index: number): number {
  return Math.min(pieceBytes, bytes - index * pieceBytes);
}

function piecesSource({ record }: Slot, piece: (index: number) => Promise<Blob | undefined>): ByteSource {
  const { url: name, bytes: byteLength, pieceBytes } = record;
  const blobs = new Map<number, Blob>();

  async function part(index: number, from: number, to: number): Promise<Uint8Array> {
    try {
      const blob = blobs.get(index) ?? (await piece(index));
      if (!blob) throw new Error(`piece ${index} is missing; remove the file and load it again`);
      blobs.set(index, blob);
      return new Uint8Array(await blob.slice(from, to).arrayBuffer());
    } catch (cause) {
      throw storageError(name, 'could not be read', cause);
    }
  }

  return {
    name,
    byteLength,
    async read(offset, length, signal) {
      checkRange(name, byteLength, offset, length);
      const out = new Uint8Array(length);
      for (let filled = 0; filled < length; ) {
        signal?.throwIfAborted();
        const at = offset + filled;
        const from = at % pieceBytes;
        const bytes = await part((at - from) / pieceBytes, from, Math.min(pieceBytes, from + length - filled));
        out.set(bytes, filled);
        filled += bytes.length;
      }
      return out;
    },
    close: async () => blobs.clear(),
  };
}
