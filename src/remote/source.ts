// What of a source goes to the worker: addresses, blobs and bytes as they are; streams and own sources are read here.
import { TernlightError } from '../errors.ts';
import { streamSource } from '../formats/source.ts';
import type { ByteSource } from '../formats/types.ts';
import type { ModelSource } from '../open.ts';
import type { RemoteSource } from './protocol.ts';

/** The worker's own address is a blob: relative addresses are the page's. */
export function absolute(address: string, base: string | undefined): string {
  try {
    return new URL(address, base).href;
  } catch (cause) {
    throw new TernlightError('invalid-option', `source: ${address} is not an address, relative to ${base}`, { cause });
  }
}

export async function remoteSource(
  source: ModelSource,
  base: string | undefined,
): Promise<{ message: RemoteSource; proxy?: ByteSource }> {
  if (typeof source === 'string' || source instanceof URL) {
    const text = String(source);
    const plain = /^(synthetic|hf|local):/.test(text);
    return { message: plain ? text : absolute(text, base) };
  }
  if (source instanceof Blob || source instanceof ArrayBuffer || source instanceof Uint8Array)
    return { message: source };
  if (Array.isArray(source)) return { message: { files: source } };
  if ('open' in source)
    throw new TernlightError(
      'unsupported',
      'source: an own set of files cannot be read from a worker, expected files, a Blob, an address or a ByteSource',
    );
  const proxy = source instanceof ReadableStream ? streamSource(source) : (source as ByteSource);
  return {
    message: { proxy: { name: proxy.name, byteLength: proxy.byteLength, sequential: proxy.sequential } },
    proxy,
  };
}
