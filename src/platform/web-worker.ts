// Workers of pages (docs/WORKERS.md). From a blob, which needs no file; where a policy forbids that, from the file
// ternlight-worker.js on the page's own origin. A worker says hello: until then it may have been blocked without a word.
import { NoWorkerError } from './no-worker.ts';
import type { Role, WorkerHandle } from './platform.ts';

/** Longer than a slow phone needs to fetch and parse the module. */
const HELLO_MS = 20_000;
export const HELLO = 'hello';

/** What a worker says of itself before anything else; it holds the lock while it lives. */
type Greeting = typeof HELLO | { lock: string };

/** Why workers of this page are not started from blobs; it is tried once. */
let noBlob: string | undefined;

/** Throws NoWorkerError. */
export async function spawn(role: Role, text: string, address: string | undefined): Promise<WorkerHandle> {
  if (typeof Worker === 'undefined')
    throw new NoWorkerError('this context has no Worker, expected a page or a dedicated worker; load the model there');
  // In Chromium's extensions they start, but can import nothing.
  if (globalThis.location?.protocol.endsWith('-extension:')) noBlob ??= 'an extension';
  if (noBlob === undefined)
    try {
      return await fromBlob(text);
    } catch (error) {
      noBlob ??= (error as Error).message;
    }
  try {
    if (!address) throw new Error('no address is known');
    return await started(new Worker(address, { type: 'module', name: role }), address);
  } catch (error) {
    throw new NoWorkerError(
      `none could be started, from a blob (${noBlob}) or from ${address} (${(error as Error).message}); ` +
        "a Content-Security-Policy allows blobs by worker-src blob:, a file by worker-src 'self', and the file " +
        "ternlight-worker.js has to be on the page's own origin: load({ worker: its address })",
    );
  }
}

async function fromBlob(text: string): Promise<WorkerHandle> {
  const url = URL.createObjectURL(
    new Blob([text, `;(${greet})(${JSON.stringify(HELLO)})`], { type: 'text/javascript' }),
  );
  try {
    return await started(new Worker(url), 'a blob');
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** What this worker was started for. Called in the worker's file: what it starts comes from there too. */
export function roleHere(): Role {
  noBlob = 'the page forbids it';
  return (globalThis as { name?: string }).name as Role;
}

/** Called in a worker when it listens. Its text stands by itself in workers from blobs. */
export function greet(hello: string): void {
  const post = globalThis.postMessage as (greeting: unknown) => void;
  post(hello);
  // No event tells of a worker that is gone; that its lock is free does.
  const lock = `ternlight worker ${Date.now()} ${Math.random()}`;
  const hold = () => {
    post({ lock });
    return new Promise(() => {});
  };
  globalThis.navigator.locks?.request(lock, hold).catch(() => {}); // opaque origins have none
}

/** Firefox collects a worker that waits for a message and that nothing but its own listeners refers to. */
const alive = new Set<Worker>();

/** Resolves when the worker has said hello. */
function started(worker: Worker, from: string): Promise<WorkerHandle> {
  alive.add(worker);
  const end = () => {
    alive.delete(worker);
    worker.terminate();
  };
  const messages: ((message: unknown) => void)[] = [];
  const errors: ((error: Error) => void)[] = [];
  const fail = (text: string) => {
    for (const listener of errors.splice(0)) listener(new Error(text));
  };
  const handle: WorkerHandle = {
    from,
    post: (message, transfer) => worker.postMessage(message, (transfer ?? []) as Transferable[]),
    onMessage: (listener) => void messages.push(listener),
    onError: (listener) => void errors.push(listener),
    background: () => {},
    terminate: () => {
      errors.length = 0;
      end();
    },
  };
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => fail(`no answer within ${HELLO_MS / 1000} s`), HELLO_MS);
    errors.push((error) => {
      clearTimeout(timer);
      end();
      reject(error);
    });
    worker.onerror = (event) => {
      event.preventDefault(); // whoever called is told
      fail(event.message || 'blocked, or not found');
    };
    worker.onmessage = ({ data }: { data: Greeting }) => {
      if (data === HELLO) {
        clearTimeout(timer);
        errors.length = 0;
        resolve(handle);
      } else if (data?.lock)
        navigator.locks.request(data.lock, () => fail('it was ended from outside')).catch(() => {});
      else for (const listener of messages) listener(data);
    };
  });
}
