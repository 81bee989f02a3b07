// Files of this machine in the store, under a name instead of an address: "local:NAME".
import { TernlightError } from '../errors.ts';
import type { ByteSource } from '../formats/types.ts';
import type { Backend } from './backend.ts';
import { pieceLength } from './blobs.ts';
import { checkSpace, defaultPieceBytes, lock, openWhole } from './keep.ts';
import { keyOf, listSlots, nextId, removeAll, writeRecord } from './slots.ts';

const prefix = 'local:';

export function isLocal(source: string): boolean {
  return source.startsWith(prefix);
}

export interface LocalOptions {
  signal?: AbortSignal;
  onProgress?: (haveBytes: number, totalBytes: number) => void;
  /** Default 8 MiB. */
  pieceBytes?: number;
}

/**
 * Copies a file as "local:NAME", in place of one of that name once it is whole; gives its key. In pages the browser copies:
 * JavaScript sees no byte. Throws 'storage' where there is too little space, 'io' where the file cannot be read.
 */
export async function keepLocal(file: Blob, name: string, backend: Backend, options: LocalOptions): Promise<string> {
  const { signal, onProgress, pieceBytes = defaultPieceBytes } = options;
  const url = `${prefix}${name}`;
  const key = keyOf(url);
  await checkSpace(backend, file.size, url);
  const unlock = await lock(backend, key, { signal });
  try {
    const record = { url, bytes: file.size, pieceBytes, whole: false, savedMs: Date.now() };
    // What a break left of an earlier one may be of another file.
    for (const { id, record } of await listSlots(backend, key)) if (!record.whole) await backend.remove(id);
    const slot = await writeRecord(backend, await nextId(backend, key), record);
    try {
      for (let index = 0; index * pieceBytes < file.size; index++) {
        signal?.throwIfAborted();
        const start = index * pieceBytes;
        const end = start + pieceLength(record, index);
        await backend.write(slot, index, file.slice(start, end));
        onProgress?.(end, file.size);
      }
      await writeRecord(backend, slot.id, { ...record, whole: true, savedMs: Date.now() });
    } catch (error) {
      await backend.remove(slot.id);
      throw error;
    }
    await removeAll(backend, key, slot.id);
    return key;
  } finally {
    await unlock();
  }
}

/** Throws 'storage' where nothing of that name is kept. */
export async function openLocal(source: string, backend: Backend, signal?: AbortSignal): Promise<ByteSource> {
  const kept = await openWhole(source, backend, { signal });
  if (kept) return kept;
  const there = (await listSlots(backend)).map(({ record }) => record.url).filter(isLocal);
  throw new TernlightError(
    'storage',
    `store: ${source} is not in ${backend.name}, expected ${there.join(', ') || 'a file that store().add() has kept'}`,
  );
}
