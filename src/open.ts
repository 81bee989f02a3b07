// A model's source, whatever kind it is, as bytes to read.
import { TernlightError } from './errors.ts';
import { blobSource, bytesSource, streamSource, urlSource } from './formats/source.ts';
import { type SyntheticName, syntheticModel, syntheticNames } from './formats/synthetic.ts';
import type { ByteSource } from './formats/types.ts';
import type { Platform } from './platform/platform.ts';

/** A path (Node, Deno, Bun), an http(s) address, "synthetic:NAME", or the bytes themselves. */
export type ModelSource = string | URL | Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array> | ByteSource;

export async function openSource(
  source: ModelSource,
  platform: Platform,
  options: { signal?: AbortSignal } = {},
): Promise<ByteSource> {
  if (typeof source === 'string' && source.startsWith('synthetic:')) {
    const name = source.slice('synthetic:'.length);
    if (!(syntheticNames as readonly string[]).includes(name))
      throw new TernlightError(
        'invalid-option',
        `source: no synthetic model "${name}", expected one of ${syntheticNames.join(', ')}`,
      );
    return syntheticModel(name as SyntheticName);
  }
  if (typeof source === 'string' || source instanceof URL) {
    const text = String(source);
    const isUrl = /^(https?|blob|data|capacitor|app|chrome-extension|moz-extension):/i.test(text);
    if (!isUrl && platform.openFile) return platform.openFile(text.startsWith('file:') ? filePath(text) : text);
    // In a page, everything else is an address relative to the page.
    const base = (globalThis as { location?: { href: string } }).location?.href;
    return urlSource(base === undefined ? text : new URL(text, base), { signal: options.signal });
  }
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) return bytesSource(source);
  if (typeof Blob !== 'undefined' && source instanceof Blob) return blobSource(source);
  if (typeof ReadableStream !== 'undefined' && source instanceof ReadableStream) return streamSource(source);
  if (typeof (source as ByteSource | undefined)?.read === 'function') return source as ByteSource;
  throw new TernlightError(
    'invalid-option',
    `source: got ${describe(source)}, expected a path, URL, Blob, ArrayBuffer, stream or ByteSource`,
  );
}

function filePath(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value;
}
