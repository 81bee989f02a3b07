// Browsers and webviews: pages and their workers.
import { TernlightError } from '../errors.ts';
import type { Platform, WorkerHandle } from './platform.ts';
import { webStore } from './web-store.ts';

/** Firefox collects a worker that waits for a message and that nothing but its own listeners refers to. */
const alive = new Set<Worker>();

/** Starts a classic worker from text: by a blob address, which a Content-Security-Policy may forbid. */
function spawn(text: string): WorkerHandle {
  if (typeof Worker === 'undefined') throw new TernlightError('environment', 'worker: this context has no Worker');
  const url = URL.createObjectURL(new Blob([text], { type: 'text/javascript' }));
  const worker = new Worker(url);
  alive.add(worker);
  const errors: ((error: Error) => void)[] = [];
  worker.onerror = (event) => {
    const error = new TernlightError(
      'environment',
      `worker: ${event.message || 'it could not be started (Content-Security-Policy without worker-src blob: ?)'}`,
    );
    for (const listener of errors.splice(0)) listener(error);
  };
  return {
    post: (message, transfer) => worker.postMessage(message, (transfer ?? []) as Transferable[]),
    onMessage: (listener) => {
      worker.addEventListener('message', ({ data }) => {
        URL.revokeObjectURL(url); // it runs: the address has served
        listener(data);
      });
    },
    onError: (listener) => {
      errors.push(listener);
    },
    background: () => {},
    terminate() {
      alive.delete(worker);
      worker.terminate();
    },
  };
}

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

export function webPlatform(): Platform {
  return {
    runtime: runtimeName(),
    cores: globalThis.navigator?.hardwareConcurrency ?? 1,
    memoryBytes: memoryBytes(),
    // A page's own thread may not wait; its workers may.
    mayBlock: typeof window === 'undefined',
    spawn,
    hello: 'postMessage(1)',
    openStore: webStore,
  };
}
