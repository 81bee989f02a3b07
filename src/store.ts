// What is kept of models on this machine: seen, fetched and removed by hand. load() keeps and finds by itself.
import { TernlightError } from './errors.ts';
import { withoutSecrets } from './formats/source.ts';
import { isHubName } from './hub/hub-name.ts';
import { hubTarget } from './hub/open-hub.ts';
import type { Platform } from './platform/platform.ts';
import type { Backend, Slot } from './store/backend.ts';
import { isLocal, keepLocal } from './store/local.ts';
import { openerOf } from './store/policy.ts';
import { keyOf, listSlots } from './store/slots.ts';

export interface StoredFile {
  /** Without password, query and fragment; "local:NAME" of what was added. */
  url: string;
  bytes: number;
  /** Of them here; less where a download was broken off. */
  storedBytes: number;
  whole: boolean;
  /** Where it was compared with an expected one. */
  sha256?: string;
  savedMs: number;
}

export interface DownloadOptions {
  /** Expected, in hexadecimal digits. */
  sha256?: string;
  /** Asks whether what is kept has changed. */
  refresh?: boolean;
  /** Where hf: names lead. */
  hub?: string;
  signal?: AbortSignal;
  /** Once it begins, and with every piece of the network. */
  onProgress?: (progress: { loadedBytes: number; totalBytes: number }) => void;
  /** At once. Default 4. */
  connections?: number;
}

export interface Store {
  /** Where: a folder's path, "OPFS", "Cache API". */
  readonly name: string;
  list(): Promise<StoredFile[]>;
  /**
   * Downloads one file, if it is not kept yet; what was broken off is gone on with. `source` is an address or a hf: name.
   * Throws 'storage' before the download where there is not enough space, 'io' from the network, 'invalid-file' for a
   * wrong SHA-256: nothing is kept then, and what was kept before is still there.
   */
  download(source: string | URL, options?: DownloadOptions): Promise<StoredFile>;
  /**
   * Copies a file of this machine (picked, dropped) into the store, in place of one of that name: from then on
   * load("local:NAME") opens it. In pages the browser copies; no byte goes through JavaScript. Throws 'storage' where there
   * is too little space; what was kept before is still there then. `name`: default that of the file.
   */
  add(file: Blob, options?: Pick<DownloadOptions, 'signal' | 'onProgress'> & { name?: string }): Promise<StoredFile>;
  /** Removes a file, or all below an address or of a hf: name; how many bytes that freed. */
  remove(source: string | URL, options?: { hub?: string }): Promise<number>;
  /** Bytes kept, and bytes that may still be (undefined where the system does not tell). */
  estimate(): Promise<{ usedBytes: number; freeBytes: number | undefined }>;
  /** Asks the browser not to evict anything; whether it promises. */
  persist(): Promise<boolean>;
}

export async function openStore(platform: Platform): Promise<Store> {
  const backend = await platform.openStore();

  function addressOf(source: string | URL, hub = platform.hub): { href: string } {
    const text = String(source);
    if (isLocal(text)) return { href: text };
    const base = (globalThis as { location?: { href: string } }).location?.href;
    const address = isHubName(text) ? hubTarget(text, hub).address : text;
    if (URL.canParse(address, base)) {
      const url = new URL(address, base);
      if (/^https?:$/.test(url.protocol)) return url;
    }
    throw new TernlightError('invalid-option', `store: source is "${text}", expected an http(s) address or a hf: name`);
  }

  async function wholeOf(key: string): Promise<StoredFile> {
    const slot = (await listSlots(backend, key)).find(({ record }) => record.whole)!;
    return describe(backend, slot);
  }

  async function list(): Promise<StoredFile[]> {
    const slots = (await listSlots(backend)).filter(({ record }) => !record.absent);
    return Promise.all(slots.map((slot) => describe(backend, slot)));
  }

  return {
    name: backend.name,

    list,

    async download(source, { sha256, refresh, hub, signal, onProgress, connections } = {}) {
      const url = new URL(addressOf(source, hub).href);
      const opener = openerOf(async () => backend, {
        ...{ cache: refresh ? 'refresh' : true, keep: true, sha256, signal, connections },
        onDownload: (loadedBytes, totalBytes) => onProgress?.({ loadedBytes, totalBytes }),
      });
      const known = typeof source === 'string' && isHubName(source) ? hubTarget(source, hub).known : undefined;
      const file = await opener.file(url, known);
      try {
        await opener.finish();
      } finally {
        await file.close();
      }
      return wholeOf(keyOf(url.href));
    },

    async add(file, { name = (file as Partial<File>).name, signal, onProgress } = {}) {
      if (!name)
        throw new TernlightError('invalid-option', 'store: a Blob without a name, expected a File, or options.name');
      const report = (loadedBytes: number, totalBytes: number) => onProgress?.({ loadedBytes, totalBytes });
      return wholeOf(await keepLocal(file, name, backend, { signal, onProgress: report }));
    },

    async remove(source, { hub } = {}) {
      const url = addressOf(source, hub);
      const plain = withoutSecrets(url.href).replace(/\/+$/, '');
      let freed = 0;
      for (const slot of await listSlots(backend)) {
        const { url: kept } = slot.record;
        if (!slot.id.startsWith(keyOf(url.href)) && kept !== plain && !kept.startsWith(`${plain}/`)) continue;
        const unlock = await backend.tryLock(slot.id.replace(/-.*/, ''));
        if (!unlock)
          throw new TernlightError('storage', `store: ${kept} is being downloaded; end that first, or wait for it`);
        try {
          freed += (await describe(backend, slot)).storedBytes;
          await backend.remove(slot.id);
        } finally {
          await unlock();
        }
      }
      return freed;
    },

    async estimate() {
      const files = await list();
      return {
        usedBytes: files.reduce((sum, { storedBytes }) => sum + storedBytes, 0),
        freeBytes: await backend.freeBytes(),
      };
    },

    persist: () => backend.persist(),
  };
}

async function describe(backend: Backend, slot: Slot): Promise<StoredFile> {
  const { url, bytes, pieceBytes, whole, sha256, savedMs } = slot.record;
  const have = (await backend.pieces(slot)).size;
  const storedBytes = Math.min(bytes, have * pieceBytes);
  return { url, bytes, storedBytes, whole: whole && storedBytes === bytes, sha256, savedMs };
}
