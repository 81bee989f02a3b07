// A model's source, whatever kind it is, as bytes to read.
import { TernlightError } from './errors.ts';
import type { I2sLayout } from './formats/encodings/index.ts';
import { blobFileSet, urlFileSet } from './formats/file-set.ts';
import { firstPart } from './formats/gguf-split.ts';
import { type Opened, type ReadModel, type ReadOptions, readModelFile } from './formats/model-file.ts';
import { blobSource, bytesSource, streamSource, urlSource } from './formats/source.ts';
import { syntheticNames } from './formats/synthetic-names.ts';
import type { ByteSource, FileSet } from './formats/types.ts';
import { isHubName } from './hub/hub-name.ts';
import { openHub } from './hub/open-hub.ts';
import { extras } from './load-extras.ts';
import type { Platform } from './platform/platform.ts';
import { isLocal, openLocal } from './store/local.ts';
import { type CacheMode, type Opener, openerOf } from './store/policy.ts';

/**
 * A path of a file or folder (Node, Deno, Bun), an http(s) address (one that ends in "/" or names a file of a
 * safetensors repository means the repository), "hf:owner/repo[/file][@revision]", "local:NAME" (what store().add() has
 * kept), "synthetic:NAME", the bytes
 * themselves, or the files of a repository or of a GGUF model in parts (of which else the first is named).
 */
export type ModelSource =
  | string
  | URL
  | Blob
  | ArrayBuffer
  | Uint8Array
  | ReadableStream<Uint8Array>
  | ByteSource
  | readonly File[]
  | FileSet;

export interface OpenOptions {
  signal?: AbortSignal;
  /**
   * A tokenizer in place of the file's own: a GGUF file (with a vocabulary only, too), a tokenizer.json or a
   * tokenizer.bin. Needed by BitMamba files that have none beside them.
   */
  tokenizer?: ModelSource;
  /**
   * Order of the codes in I2_S tensors: "x86" (all published files), "arm" or "rows4" (files that bitnet.cpp wrote
   * elsewhere). Default "auto": found out where the file's dead channels tell, else "x86".
   */
  i2sLayout?: 'auto' | I2sLayout;
  /** Where hf: names lead. Default "https://huggingface.co". */
  hub?: string;
  /**
   * Files at addresses are kept on this machine (OPFS or the Cache API in pages, a folder elsewhere). "auto" (default):
   * what is kept is used without a request; what is not is downloaded and kept where that is possible, a note says
   * where not. true: an error where it cannot be kept. false: neither looked for nor kept. "offline": only what is
   * kept, no request at all. "refresh": asks whether what is kept has changed, and downloads it anew then.
   * inspect and loadTokenizer use what is kept, and keep nothing.
   */
  cache?: CacheMode;
  /** What the SHA-256 of the file at the address has to be, in hexadecimal digits. */
  sha256?: string;
}

interface Keep {
  /** Keeps what it downloads. */
  keep?: boolean;
  onDownload?: (haveBytes: number, totalBytes: number) => void;
  onHeader?: ReadOptions['onHeader'];
}

/**
 * Opens a model and reads its header; `close` when done. `finish` waits until what is to be kept is, and is right;
 * notes may come until then.
 */
export async function openModel(
  source: ModelSource,
  platform: Platform,
  options: OpenOptions & Keep = {},
): Promise<ReadModel & { name: string; finish(): Promise<void>; close(): Promise<void> }> {
  const { signal, tokenizer, i2sLayout, hub, cache, sha256, keep, onDownload, onHeader } = options;
  const notes: string[] = [];
  const onNote = (note: string) => {
    if (!notes.includes(note)) notes.push(note);
  };
  const policy = { signal, cache, keep, onDownload, onNote };
  const opener = openerOf(platform.openStore, { ...policy, sha256 });
  const opened = await openSource(source, platform, { signal, hub, opener });
  try {
    if (sha256 !== undefined && !opener.hasFile)
      throw new TernlightError(
        'invalid-option',
        'options: sha256 is of one file at an address, which the source is not',
      );
    const others = openerOf(platform.openStore, policy);
    const other =
      tokenizer === undefined ? undefined : await openSource(tokenizer, platform, { signal, hub, opener: others });
    const read = await readModelFile(opened, { signal, tokenizer: other, i2sLayout, onHeader });
    notes.push(...read.notes);
    return {
      file: read.file,
      notes,
      name: read.file.source.name,
      finish: async () => void (await Promise.all([opener.finish(), others.finish()])),
      close: () => read.file.source.close(),
    };
  } catch (error) {
    await opened.source?.close();
    throw error;
  }
}

/** The file or files that a source means; nothing is read of them yet. */
export async function openSource(
  source: ModelSource,
  platform: Platform,
  options: Pick<OpenOptions, 'signal' | 'hub' | 'cache'> & { opener?: Opener } = {},
): Promise<Opened> {
  const { signal, opener = openerOf(platform.openStore, options) } = options;
  if (typeof source === 'string' && isHubName(source))
    return openHub(source, { signal, hub: options.hub ?? platform.hub, opener });
  if (typeof source === 'string' && isLocal(source))
    return { source: await openLocal(source, await platform.openStore(), signal) };
  if (typeof source === 'string' && source.startsWith('synthetic:')) {
    const name = source.slice('synthetic:'.length);
    if (!(syntheticNames as readonly string[]).includes(name))
      throw new TernlightError(
        'invalid-option',
        `source: no synthetic model "${name}", expected one of ${syntheticNames.join(', ')}`,
      );
    return { source: (await extras()).syntheticModel(name) };
  }
  if (typeof source === 'string' || source instanceof URL) return openNamed(String(source), platform, opener, signal);
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) return { source: bytesSource(source) };
  if (typeof Blob !== 'undefined' && source instanceof Blob) return { source: blobSource(source) };
  if (typeof ReadableStream !== 'undefined' && source instanceof ReadableStream)
    return { source: streamSource(source) };
  if (Array.isArray(source)) {
    const files = source as File[];
    const first = files.find(({ name }) => firstPart.test(name));
    return { ...(first && { source: blobSource(first) }), files: blobFileSet(files) };
  }
  if (typeof (source as ByteSource | undefined)?.read === 'function') return { source: source as ByteSource };
  if (typeof (source as FileSet | undefined)?.open === 'function') return { files: source as FileSet };
  throw new TernlightError(
    'invalid-option',
    `source: got ${describe(source)}, expected a path, URL, Blob, ArrayBuffer, stream, ByteSource or files`,
  );
}

async function openNamed(
  text: string,
  platform: Platform,
  opener: Opener,
  signal: AbortSignal | undefined,
): Promise<Opened> {
  const isUrl = /^(https?|blob|data|capacitor|app|chrome-extension|moz-extension):/i.test(text);
  if (!isUrl && platform.openPath) {
    const path = text.startsWith('file:') ? filePath(text) : text;
    const opened = await platform.openPath(path);
    if (!opened.source || !isRepository(path)) return opened;
    await opened.source.close();
    return { files: opened.files };
  }
  // In a page, everything else is an address relative to the page.
  const url = new URL(text, platform.base);
  // A blob: or data: address has nothing beside it.
  if (url.protocol === 'blob:' || url.protocol === 'data:') return { source: await urlSource(url, { signal }) };
  const isWeb = /^https?:$/.test(url.protocol);
  const folder = new URL('./', url);
  const files = isWeb ? opener.files(folder) : urlFileSet(folder, { signal });
  if (isRepository(url.pathname)) return { files };
  return { source: await (isWeb ? opener.file(url) : urlSource(url, { signal })), files };
}

/** Whether a path names a folder, or one of the files that only make sense together. */
function isRepository(path: string): boolean {
  return /(\/|(^|[\\/])config\.json|\.safetensors|\.safetensors\.index\.json)$/.test(path);
}

function filePath(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value;
}
