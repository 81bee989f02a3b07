// What `cache` of load() and its kin means: which addresses go by way of the store, and what happens where it fails.
import { TernlightError } from '../errors.ts';
import { fileUrl, urlFileSet } from '../formats/file-set.ts';
import { type FileVersion, type UrlSourceOptions, urlSource, withoutSecrets } from '../formats/source.ts';
import type { ByteSource } from '../formats/types.ts';
import { gate } from '../formats/window.ts';
import type { AddressOpener } from '../hub/open-hub.ts';
import type { Backend } from './backend.ts';
import { type KeepOptions, type KeptSource, openKept, openWhole } from './keep.ts';
import { keyOf, listSlots, nextId, writeRecord } from './slots.ts';

/**
 * "auto" (default): what is kept is used without a request; what is not is downloaded and kept where that is possible,
 * a note says where not. true: an error where it cannot be kept. false: neither looked for nor kept. "offline": only what
 * is kept, no request at all. "refresh": asks whether what is kept has changed, and downloads it anew then.
 */
export type CacheMode = 'auto' | boolean | 'offline' | 'refresh';

export interface PolicyOptions {
  cache?: CacheMode;
  /** Of the file, expected: 64 hexadecimal digits. */
  sha256?: string;
  signal?: AbortSignal;
  /** Downloads and keeps; else what is not kept is read from its address. */
  keep?: boolean;
  onDownload?: (haveBytes: number, totalBytes: number) => void;
  onNote?: (note: string) => void;
  /** Default 4 pieces on their way at once. */
  connections?: number;
}

/** Files up to this are downloaded before they are read: what reads them may close them early. */
const smallBytes = 64 << 20;

/** Opens addresses for one model. */
export interface Opener extends AddressOpener {
  /** Whether there was a file that the expected SHA-256 could be of. */
  readonly hasFile: boolean;
  /** Waits until what was begun is kept as a whole and checked. */
  finish(): Promise<void>;
}

/** Throws 'invalid-option'. */
export function openerOf(openBackend: () => Promise<Backend>, options: PolicyOptions): Opener {
  const { cache = 'auto', signal, keep, onDownload, onNote, connections = 4 } = options;
  const sha256 = options.sha256?.toLowerCase();
  if (![true, false, 'auto', 'offline', 'refresh'].includes(cache))
    throw invalid(`cache is ${JSON.stringify(cache)}, expected "auto", true, false, "offline" or "refresh"`);
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/.test(sha256))
    throw invalid(`sha256 is ${JSON.stringify(sha256)}, expected 64 hexadecimal digits`);
  if (sha256 !== undefined && cache === false)
    throw invalid('sha256 is compared with what is kept, got cache: false too; leave out one of them');
  const refresh = cache === 'refresh';
  const limit = gate(connections);
  /** Being kept. */
  const sources = new Set<KeptSource>();
  /** How far the download of each address is. */
  const progress = new Map<string, readonly [haveBytes: number, totalBytes: number]>();
  let backend: Promise<Backend | undefined> | undefined;
  let hasFile = false;

  /** Undefined where the store fails and the model can do without. */
  async function stored<T>(work: () => Promise<T>): Promise<T | undefined> {
    try {
      return await work();
    } catch (error) {
      const optional = cache === 'auto' && sha256 === undefined;
      if (!optional || !(error instanceof TernlightError) || error.code !== 'storage') throw error;
      onNote?.(`not kept: ${error.message}`);
      return undefined;
    }
  }

  function ready(): Promise<Backend | undefined> {
    backend ??= cache === false ? Promise.resolve(undefined) : stored(openBackend);
    return backend;
  }

  function report(url: string, haveBytes: number, totalBytes: number): void {
    progress.set(url, [haveBytes, totalBytes]);
    const sums = [0, 1].map((i) => [...progress.values()].reduce((sum, counts) => sum + counts[i]!, 0));
    onDownload?.(sums[0]!, sums[1]!);
  }

  async function open(
    url: string,
    own: UrlSourceOptions,
    hash?: string,
    known?: KeepOptions['known'],
  ): Promise<ByteSource> {
    const direct = (begun?: FileVersion) => {
      // Who watches the download would wait for the rest.
      const [, total] = progress.get(url) ?? [];
      if (total !== undefined) report(url, total, total);
      return urlSource(url, { ...own, signal, begun });
    };
    const to = await ready();
    if (!to) return direct();
    if (cache === 'offline' || !keep) {
      const whole = refresh ? undefined : await stored(() => openWhole(url, to, { sha256: hash, signal }));
      if (whole) return whole;
      if (cache === 'offline') throw notKept(url, to, 'offline no request is made; load it once online');
      if (hash !== undefined) throw notKept(url, to, 'only of what is kept a SHA-256 is compared; load it first');
      return direct();
    }
    const onProgress = (have: number, total: number) => report(url, have, total);
    const how = { ...own, signal, refresh, sha256: hash, known, connections, gate: limit, onProgress };
    const kept = await stored(() => openKept(url, to, how));
    if (!kept) return direct();
    sources.add(kept);
    const source = withFallback(kept, direct);
    if (kept.byteLength! > smallBytes) return source;
    try {
      if (await stored(() => kept.finish())) return source;
    } catch (error) {
      await source.close();
      throw error;
    }
    await source.close();
    return direct();
  }

  /** Where keeping fails half-way, the rest of the same file is read from the address. */
  function withFallback(kept: KeptSource, direct: (begun: FileVersion) => Promise<ByteSource>): ByteSource {
    let other: Promise<ByteSource> | undefined;
    return {
      name: kept.name,
      byteLength: kept.byteLength,
      async read(offset, length, signal) {
        const bytes = other ? undefined : await stored(() => kept.read(offset, length, signal));
        if (bytes) return bytes;
        sources.delete(kept);
        other ??= direct(kept.of);
        return (await other).read(offset, length, signal);
      },
      async close() {
        sources.delete(kept);
        await kept.close();
        await (await other)?.close();
      },
    };
  }

  return {
    get hasFile() {
      return hasFile;
    },
    file(url, known) {
      hasFile = true;
      return open(url.href, {}, sha256, known);
    },
    /** That there is no file of a name is kept too. */
    files(base) {
      const set = urlFileSet(base, { signal }, ({ href }, own) => open(href, own));
      return {
        name: set.name,
        async open(path, signal) {
          const key = keyOf(fileUrl(base, path).href);
          const to = await ready();
          const slots = (to && (await stored(() => listSlots(to, key)))) ?? [];
          if (!refresh && slots.some(({ record }) => record.absent)) return undefined;
          const source = await set.open(path, signal);
          if (!source && to && keep && slots.length === 0) {
            const url = withoutSecrets(fileUrl(base, path).href);
            const record = { url, bytes: 0, pieceBytes: 1, whole: true, absent: true, savedMs: Date.now() } as const;
            await stored(async () => writeRecord(to, await nextId(to, key), record));
          }
          return source;
        },
      };
    },
    finish: async () => void (await stored(() => Promise.all([...sources].map((source) => source.finish())))),
  };
}

function notKept(url: string, { name }: Backend, why: string): TernlightError {
  return new TernlightError('storage', `store: ${withoutSecrets(url)} is not in ${name} as a whole, and ${why}`);
}

function invalid(text: string): TernlightError {
  return new TernlightError('invalid-option', `options: ${text}`);
}
