// The Cache API as named blobs, where there is no OPFS.
import type { Blobs } from '../store/blobs.ts';

/** A cache's keys are addresses; nobody asks for this one. */
const root = 'https://ternlight.invalid/';

/** Throws what the browser throws where there is none. */
export async function cacheBlobs(): Promise<Blobs> {
  const cache = await caches.open('ternlight');
  return {
    name: 'Cache API',
    names: async () => (await cache.keys()).map(({ url }) => url.slice(root.length)),
    get: async (name) => (await cache.match(root + name))?.blob(),
    put: (name, bytes) => cache.put(root + name, new Response(bytes as Blob | Uint8Array<ArrayBuffer>)),
    delete: async (name) => void (await cache.delete(root + name)),
  };
}
