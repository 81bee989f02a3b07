// Browsers and webviews: pages and their workers.
import type { Platform } from './platform.ts';
import { webStore } from './web-store.ts';
import { spawn } from './web-worker.ts';

function runtimeName(): string {
  const agent = globalThis.navigator?.userAgent ?? '';
  const found = /(Firefox|Edg|Chrome|Version)\/([\d.]+)/.exec(agent);
  if (!found) return 'browser';
  return `${found[1] === 'Version' ? 'WebKit' : found[1] === 'Chrome' ? 'Chromium' : found[1]} ${found[2]}`;
}

/** Told in GiB, rounded to the next power of two, up to 8: what is told as 2 is less than 3. */
function memoryBytes(): number | undefined {
  const told = (globalThis.navigator as { deviceMemory?: number } | undefined)?.deviceMemory;
  return told === undefined ? undefined : 1.5 * told * 2 ** 30;
}

/** Atomics.wait is for dedicated and shared workers: not for pages, service workers and worklets. */
function mayBlock(): boolean {
  return 'WorkerGlobalScope' in globalThis && !('ServiceWorkerGlobalScope' in globalThis);
}

/** Opaque origins refuse, insecure pages have none. */
async function hasLocks(): Promise<boolean> {
  const { locks } = globalThis.navigator ?? {};
  return (await locks?.request('ternlight', () => true).catch(() => false)) ?? false;
}

export function webPlatform(workerAddress?: string): Platform {
  return {
    runtime: runtimeName(),
    cores: globalThis.navigator?.hardwareConcurrency ?? 1,
    memoryBytes: memoryBytes(),
    mayBlock: mayBlock(),
    // A frame of about:blank or srcdoc has the base of the page around it.
    base: globalThis.document?.baseURI ?? globalThis.location?.href,
    workerAddress,
    spawn: (role, text) => spawn(role, text, workerAddress),
    hasLocks,
    openStore: webStore,
  };
}
