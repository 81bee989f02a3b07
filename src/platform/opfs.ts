// The origin private file system as named blobs, for pages and their workers.
import type { Blobs } from '../store/blobs.ts';

/** A worker's, where writable streams are missing (WebKit before 26). */
interface SyncFile extends FileSystemFileHandle {
  createSyncAccessHandle?(): Promise<{
    truncate(bytes: number): void;
    write(bytes: Uint8Array, options: { at: number }): number;
    flush(): void;
    close(): void;
  }>;
}

/** Throws what the browser throws where there is none: a private window of some browsers, an insecure page. */
export async function opfsBlobs(): Promise<Blobs> {
  const root = await navigator.storage.getDirectory();
  const folder = await root.getDirectoryHandle('ternlight', { create: true });
  return {
    name: 'OPFS',

    async names() {
      const found: string[] = [];
      // Not for await: the types of some TypeScript versions lack it.
      const keys = (folder as unknown as { keys(): AsyncIterator<string> }).keys();
      for (let next = await keys.next(); !next.done; next = await keys.next()) found.push(next.value);
      return found;
    },

    async get(name) {
      try {
        return await (await folder.getFileHandle(name)).getFile();
      } catch (error) {
        if (isMissing(error)) return undefined;
        throw error;
      }
    },

    async put(name, bytes) {
      const file: SyncFile = await folder.getFileHandle(name, { create: true });
      if (typeof file.createWritable === 'function') {
        const stream = await file.createWritable();
        try {
          await stream.write(bytes as Blob | Uint8Array<ArrayBuffer>);
          await stream.close(); // from now on, all of it
        } catch (error) {
          await stream.abort().catch(() => {});
          throw error;
        }
        return;
      }
      if (!file.createSyncAccessHandle) throw new Error('this page cannot write files; its workers can');
      const handle = await file.createSyncAccessHandle();
      try {
        const all = bytes instanceof Blob ? new Uint8Array(await bytes.arrayBuffer()) : bytes;
        handle.truncate(0);
        if (handle.write(all, { at: 0 }) !== all.length) throw new DOMException('', 'QuotaExceededError');
        handle.flush();
      } finally {
        handle.close();
      }
    },

    async delete(name) {
      try {
        await folder.removeEntry(name);
      } catch (error) {
        if (!isMissing(error)) throw error;
      }
    },
  };
}

function isMissing(error: unknown): boolean {
  return (error as { name?: string }).name === 'NotFoundError';
}
