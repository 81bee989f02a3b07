// What of a source goes to the worker: addresses, blobs and bytes as they are; streams and own sources are read here.
import { streamSource } from '../formats/source.ts';
import type { ByteSource } from '../formats/types.ts';
import type { ModelSource } from '../open.ts';
import type { RemoteSource } from './protocol.ts';

export async function remoteSource(source: ModelSource): Promise<{ message: RemoteSource; proxy?: ByteSource }> {
  if (typeof source === 'string' || source instanceof URL) {
    const text = String(source);
    // The worker's own address is a blob: relative addresses are the page's.
    return { message: text.startsWith('synthetic:') ? text : new URL(text, globalThis.location?.href).href };
  }
  if (source instanceof Blob || source instanceof ArrayBuffer || source instanceof Uint8Array)
    return { message: source };
  const proxy = source instanceof ReadableStream ? streamSource(source) : source;
  return { message: { proxy: { name: proxy.name, byteLength: proxy.byteLength } }, proxy };
}
