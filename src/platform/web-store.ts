// The store of pages and their workers: OPFS, else the Cache API.
import { type Backend, storageError } from '../store/backend.ts';
import { type Blobs, blobsBackend } from '../store/blobs.ts';
import { cacheBlobs } from './cache-api.ts';
import { opfsBlobs } from './opfs.ts';

/** Throws 'storage' where neither is to be had. */
export async function webStore(): Promise<Backend> {
  let blobs: Blobs;
  try {
    blobs = await opfsBlobs();
  } catch {
    try {
      blobs = await cacheBlobs();
    } catch (cause) {
      throw storageError(
        'this page',
        'has neither OPFS nor the Cache API (an insecure address, a private window?)',
        cause,
      );
    }
  }
  return blobsBackend(blobs, { tryLock, freeBytes, persist });
}

/** The browser lets go of it when the tab or worker ends, however it ends. */
async function tryLock(name: string): Promise<(() => Promise<void>) | undefined> {
  const { locks } = navigator;
  if (!locks) return async () => {};
  return new Promise((resolve, reject) => {
    const held = locks.request(`ternlight:${name}`, { ifAvailable: true }, (lock) => {
      if (!lock) return resolve(undefined);
      return new Promise<void>((release) => {
        resolve(async () => {
          release();
          await held;
        });
      });
    });
    held.catch((cause) => reject(storageError('this page', 'may not take locks (an opaque origin?)', cause)));
  });
}

async function freeBytes(): Promise<number | undefined> {
  // WebKit has it only where it has a quota to tell.
  const { quota, usage } = (await navigator.storage?.estimate?.()) ?? {};
  return quota === undefined || usage === undefined ? undefined : quota - usage;
}

async function persist(): Promise<boolean> {
  return (await navigator.storage?.persist?.()) ?? false;
}
