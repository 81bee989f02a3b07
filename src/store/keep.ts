// An address by way of the store: what is kept is read from there, what is not is downloaded, kept, and can be read
// meanwhile. One download at a time of an address, however many tabs or processes want it.
import { TernlightError } from '../errors.ts';
import {
  ChangedError,
  type FileVersion,
  type UrlByteSource,
  type UrlSourceOptions,
  urlSource,
  withoutSecrets,
} from '../formats/source.ts';
import type { ByteSource } from '../formats/types.ts';
import { abortable } from '../formats/window.ts';
import { type Backend, cure, type Slot, type SlotRecord } from './backend.ts';
import { type Download, downloadInto } from './download.ts';
import { type Hasher, sha256 } from './sha256.ts';
import { isComplete, keyOf, listSlots, nextId, removeAll, writeRecord } from './slots.ts';

export interface KeepOptions extends Omit<UrlSourceOptions, 'onProgress' | 'begun' | 'bounded'> {
  /** Asks whether the file has changed, where it is kept already. Default: no request then. */
  refresh?: boolean;
  /** Expected, in hexadecimal digits. */
  sha256?: string;
  /** A SHA-256 that is expected if the file has this size. */
  known?: { readonly bytes: number; readonly sha256?: string };
  /** At once. Default 4. */
  connections?: number;
  gate?: <T>(task: () => Promise<T>) => Promise<T>;
  /** Of this download, or of somebody else's that is waited for. */
  onProgress?: (haveBytes: number, totalBytes: number) => void;
  /** Of each piece. Default 8 MiB. */
  pieceBytes?: number;
}

export interface KeptSource extends ByteSource {
  /** What the server has to have, for who goes on without the store. */
  readonly of: FileVersion;
  /** Downloads what is missing, checks the whole and keeps it. Throws 'invalid-file' for a wrong SHA-256. */
  finish(): Promise<SlotRecord>;
}

export const defaultPieceBytes = 8 << 20;
const pollMs = 500;

/** What is kept of the address, if that is the whole file. Makes no request. */
export async function openWhole(
  url: string,
  backend: Backend,
  options: Pick<KeepOptions, 'sha256' | 'signal'> = {},
): Promise<KeptSource | undefined> {
  const slot = await wholeSlot(backend, keyOf(url), options);
  if (!slot) return undefined;
  const finish = async () => slot.record;
  const { url: name } = slot.record; // whoever looks for files beside it looks there
  return Object.assign(await backend.open(slot), { name, of: versionOf(slot.record), finish });
}

/**
 * Throws 'io' from the network, 'storage' for what cannot be kept: too little space is told before the download, a
 * server that does not tell a length too.
 */
export async function openKept(url: string, backend: Backend, options: KeepOptions = {}): Promise<KeptSource> {
  const kept = options.refresh ? undefined : await openWhole(url, backend, options);
  if (kept) return kept;
  const key = keyOf(url);
  const unlock = await lock(backend, key, options);
  try {
    // Whoever had the lock may have finished it.
    const slot = await wholeSlot(backend, key, options);
    if (slot && (!options.refresh || (await unchanged(url, slot, options)))) {
      await unlock();
      return (await openWhole(url, backend, options))!;
    }
    return keeping(url, backend, await begin(url, backend, key, options), options, unlock);
  } catch (error) {
    await unlock();
    throw error;
  }
}

async function wholeSlot(
  backend: Backend,
  key: string,
  { sha256, signal }: Pick<KeepOptions, 'sha256' | 'signal'>,
): Promise<Slot | undefined> {
  for (const slot of (await listSlots(backend, key)).reverse()) {
    const { record } = slot;
    if (!record.whole || record.absent || !(await isComplete(backend, slot))) continue;
    if (sha256 === undefined || record.sha256 === sha256) return slot;
    if (record.sha256 !== undefined || (await hashOf(backend, slot, signal)) !== sha256) continue;
    return writeRecord(backend, slot.id, { ...record, sha256 });
  }
  return undefined;
}

/** Waits until nobody else downloads the same, telling how far that is. */
export async function lock(
  backend: Backend,
  key: string,
  { signal, onProgress }: Pick<KeepOptions, 'signal' | 'onProgress'>,
): Promise<() => Promise<void>> {
  for (;;) {
    signal?.throwIfAborted();
    const unlock = await backend.tryLock(key);
    if (unlock) return unlock;
    if (onProgress) {
      const slot = (await listSlots(backend, key)).at(-1);
      if (slot && !slot.record.whole) {
        const { bytes, pieceBytes } = slot.record;
        onProgress(Math.min(bytes, (await backend.pieces(slot)).size * pieceBytes), bytes);
      }
    }
    await abortable(new Promise((resolve) => setTimeout(resolve, pollMs)), signal, () => {});
  }
}

/** Whether the server still has what is kept. Without a version to compare it may have anything. */
async function unchanged(url: string, { record }: Slot, options: KeepOptions): Promise<boolean> {
  if (record.version === undefined || record.bytes === 0) return false;
  const source = await connect(url, options, versionOf(record));
  try {
    await source.read(0, 1);
    return true;
  } catch (error) {
    if (error instanceof ChangedError) return false;
    throw error;
  } finally {
    await source.close();
  }
}

interface Begun {
  slot: Slot;
  download: Download;
}

/** Takes up a download that was broken off, if the server still has the same file, or begins one. */
async function begin(url: string, backend: Backend, key: string, options: KeepOptions): Promise<Begun> {
  const partial = (await listSlots(backend, key)).reverse().find(({ record }) => !record.whole && record.bytes > 0);
  if (partial) {
    const { version, bytes } = partial.record;
    // With neither a version nor a hash to tell, two files could be mixed.
    if (version !== undefined || expected(options, bytes) !== undefined) {
      const first = await connect(url, options, versionOf(partial.record));
      const download = await prepare(url, backend, partial, first, options);
      try {
        await abortable(download.takeOne(), options.signal, () => {});
        return { slot: partial, download };
      } catch (error) {
        await download.stop(error);
        if (!(error instanceof ChangedError)) throw error;
      }
    }
    await backend.remove(partial.id);
  }
  const first = await connect(url, options);
  try {
    const { byteLength, version } = first;
    if (byteLength === undefined)
      throw new TernlightError(
        'storage',
        `store: ${first.name} cannot be kept: the server does not tell its length; go on with cache: false`,
      );
    const { pieceBytes = defaultPieceBytes } = options;
    const record = {
      url: withoutSecrets(url),
      bytes: byteLength,
      pieceBytes,
      version,
      whole: false,
      savedMs: Date.now(),
    };
    const slot: Slot = { id: await nextId(backend, key), record };
    const download = await prepare(url, backend, slot, first, options);
    return { slot: await writeRecord(backend, slot.id, record), download };
  } catch (error) {
    await first.close();
    throw error;
  }
}

async function prepare(
  url: string,
  backend: Backend,
  slot: Slot,
  first: UrlByteSource,
  options: KeepOptions,
): Promise<Download> {
  const { record } = slot;
  const { connections = 4, gate = (task) => task(), onProgress } = options;
  const have = await backend.pieces(slot);
  await checkSpace(backend, record.bytes - have.size * record.pieceBytes, withoutSecrets(url));
  const more = () => connect(url, options, versionOf(record));
  return downloadInto({ backend, slot, have, first, more, connections, gate, onProgress });
}

/** Throws 'storage' where there is too little space for what is still to come. */
export async function checkSpace(backend: Backend, missingBytes: number, name: string): Promise<void> {
  const freeBytes = await backend.freeBytes();
  if (freeBytes !== undefined && missingBytes > freeBytes)
    throw new TernlightError(
      'storage',
      `store: ${backend.name} has ${freeBytes} bytes free, expected ${missingBytes} for ${name}; ${cure}`,
    );
}

function connect(url: string, options: KeepOptions, begun?: FileVersion): Promise<UrlByteSource> {
  const { headers, signal, retries, retryMs, fetch: fetcher = fetch } = options;
  return urlSource(url, {
    ...{ headers, signal, retries, retryMs, begun, bounded: true },
    // It is kept here: the browser need not keep it a second time.
    fetch: (input, init) => fetcher(input, { ...init, cache: 'no-store' }),
  });
}

function expected({ sha256, known }: KeepOptions, bytes: number): string | undefined {
  return sha256 ?? (known?.bytes === bytes ? known.sha256 : undefined);
}

async function hashOf(backend: Backend, slot: Slot, signal?: AbortSignal, download?: Download): Promise<string> {
  const hasher: Hasher = backend.hasher?.() ?? sha256();
  const { bytes } = slot.record;
  const step = 1 << 20;
  let source: ByteSource | undefined;
  try {
    for (let at = 0; at < bytes; at += step) {
      const length = Math.min(step, bytes - at);
      await download?.reach(at, length, signal);
      source ??= await backend.open(slot);
      hasher.update(await source.read(at, length, signal));
    }
  } finally {
    await source?.close();
  }
  return hasher.digest();
}

function versionOf({ version, bytes }: SlotRecord): FileVersion {
  return { version, byteLength: bytes };
}

/** A file on its way into the store. */
function keeping(
  url: string,
  backend: Backend,
  { slot, download }: Begun,
  options: KeepOptions,
  unlock: () => Promise<void>,
): KeptSource {
  const name = withoutSecrets(url);
  const byteLength = slot.record.bytes;
  let source: Promise<ByteSource> | undefined;
  let finished: Promise<SlotRecord> | undefined;
  let closed = false;

  async function finish(): Promise<SlotRecord> {
    const { signal } = options;
    const wanted = expected(options, byteLength);
    const all = abortable(download.done(), signal, () => {});
    const hash = wanted === undefined ? undefined : hashOf(backend, slot, signal, download);
    const [sha256] = await Promise.all([hash, all]);
    if (sha256 !== wanted) {
      await backend.remove(slot.id);
      throw new TernlightError(
        'invalid-file',
        `source: ${name} has the SHA-256 ${sha256}, expected ${wanted}; it was not kept: check the address and the value`,
      );
    }
    const { record } = await writeRecord(backend, slot.id, {
      ...slot.record,
      ...{ sha256, whole: true, savedMs: Date.now() },
    });
    await removeAll(backend, keyOf(url), slot.id);
    await unlock();
    return record;
  }

  return {
    name,
    byteLength,
    of: versionOf(slot.record),
    async read(offset, length, signal) {
      if (closed) throw new TernlightError('disposed', `source: ${name} has been closed`);
      await download.reach(offset, Math.min(length, byteLength - offset), signal ?? options.signal);
      source ??= backend.open(slot);
      return (await source).read(offset, length, signal);
    },
    finish() {
      finished ??= finish();
      return finished;
    },
    async close() {
      if (closed) return;
      closed = true;
      await download.stop(new TernlightError('disposed', `source: ${name} has been closed`));
      await (await source)?.close();
      const record = await finished?.catch(() => undefined);
      if (!record && (await backend.pieces(slot)).size === 0) await backend.remove(slot.id);
      await unlock();
    },
  };
}
