// A model's source, whatever kind it is, as bytes to read.
import { TernlightError } from './errors.ts';
import type { I2sLayout } from './formats/encodings/index.ts';
import { blobFileSet, urlFileSet } from './formats/file-set.ts';
import { type Opened, type ReadModel, readModelFile } from './formats/model-file.ts';
import { blobSource, bytesSource, streamSource, urlSource } from './formats/source.ts';
import { type SyntheticName, syntheticModel, syntheticNames } from './formats/synthetic.ts';
import type { ByteSource, FileSet } from './formats/types.ts';
import { isHubName } from './hub/hub-name.ts';
import { openHub } from './hub/open-hub.ts';
import type { Platform } from './platform/platform.ts';

/**
 * A path of a file or folder (Node, Deno, Bun), an http(s) address (one that ends in "/" or names a file of a
 * safetensors repository means the repository), "hf:owner/repo[/file][@revision]", "synthetic:NAME", the bytes
 * themselves, or the files of a repository.
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
}

/** Opens a model and reads its header; `close` when done. */
export async function openModel(
  source: ModelSource,
  platform: Platform,
  { signal, tokenizer, i2sLayout, hub }: OpenOptions = {},
): Promise<ReadModel & { name: string; close(): Promise<void> }> {
  const opened = await openSource(source, platform, { signal, hub });
  try {
    const other = tokenizer === undefined ? undefined : await openSource(tokenizer, platform, { signal, hub });
    const read = await readModelFile(opened, { signal, tokenizer: other, i2sLayout });
    return { ...read, name: read.file.source.name, close: () => read.file.source.close() };
  } catch (error) {
    await opened.source?.close();
    throw error;
  }
}

/** The file or files that a source means; nothing is read of them yet. */
export async function openSource(
  source: ModelSource,
  platform: Platform,
  options: Pick<OpenOptions, 'signal' | 'hub'> = {},
): Promise<Opened> {
  if (typeof source === 'string' && isHubName(source))
    return openHub(source, { signal: options.signal, hub: options.hub ?? platform.hub });
  if (typeof source === 'string' && source.startsWith('synthetic:')) {
    const name = source.slice('synthetic:'.length);
    if (!(syntheticNames as readonly string[]).includes(name))
      throw new TernlightError(
        'invalid-option',
        `source: no synthetic model "${name}", expected one of ${syntheticNames.join(', ')}`,
      );
    return { source: syntheticModel(name as SyntheticName) };
  }
  if (typeof source === 'string' || source instanceof URL) return openNamed(String(source), platform, options.signal);
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) return { source: bytesSource(source) };
  if (typeof Blob !== 'undefined' && source instanceof Blob) return { source: blobSource(source) };
  if (typeof ReadableStream !== 'undefined' && source instanceof ReadableStream)
    return { source: streamSource(source) };
  if (Array.isArray(source)) return { files: blobFileSet(source as File[]) };
  if (typeof (source as ByteSource | undefined)?.read === 'function') return { source: source as ByteSource };
  if (typeof (source as FileSet | undefined)?.open === 'function') return { files: source as FileSet };
  throw new TernlightError(
    'invalid-option',
    `source: got ${describe(source)}, expected a path, URL, Blob, ArrayBuffer, stream, ByteSource or files`,
  );
}

async function openNamed(text: string, platform: Platform, signal: AbortSignal | undefined): Promise<Opened> {
  const isUrl = /^(https?|blob|data|capacitor|app|chrome-extension|moz-extension):/i.test(text);
  if (!isUrl && platform.openPath) {
    const path = text.startsWith('file:') ? filePath(text) : text;
    const opened = await platform.openPath(path);
    if (!opened.source || !isRepository(path)) return opened;
    await opened.source.close();
    return { files: opened.files };
  }
  // In a page, everything else is an address relative to the page.
  const base = (globalThis as { location?: { href: string } }).location?.href;
  const url = new URL(text, base);
  // A blob: or data: address has nothing beside it.
  if (url.protocol === 'blob:' || url.protocol === 'data:') return { source: await urlSource(url, { signal }) };
  const files = urlFileSet(new URL('./', url), { signal });
  if (isRepository(url.pathname)) return { files };
  return { source: await urlSource(url, { signal }), files };
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
