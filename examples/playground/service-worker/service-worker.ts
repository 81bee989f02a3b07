// Keeps the page's own files, by what is in them, and answers with the headers of cross-origin isolation. Everything
// else passes through untouched: models are kept by the library's store.

/** Path below the scope, SHA-256 in hexadecimal digits. Written by the build; '' is the page itself. */
declare const FILES: readonly (readonly [path: string, sha256: string])[];

/** Of the service worker's global scope, what is used here: TypeScript cannot have its types beside the page's. */
interface Extendable extends Event {
  waitUntil(promise: Promise<unknown>): void;
}
interface Fetching extends Extendable {
  readonly request: Request;
  respondWith(response: Promise<Response>): void;
}
interface Scope {
  readonly registration: ServiceWorkerRegistration;
  readonly clients: { claim(): Promise<void> };
  skipWaiting(): Promise<void>;
  addEventListener<K extends 'install' | 'activate'>(type: K, listener: (event: Extendable) => void): void;
  addEventListener(type: 'fetch', listener: (event: Fetching) => void): void;
  addEventListener(type: 'message', listener: (event: MessageEvent) => void): void;
}
const worker = globalThis as unknown as Scope;

const { scope } = worker.registration;
/** Other playgrounds may live on the same origin. */
const CACHE = `ternlight playground ${scope}`;
const ISOLATION = {
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-embedder-policy': 'require-corp',
  'cross-origin-resource-policy': 'same-origin',
};
const files = new Map(FILES);

/** Where a file lies in the cache: another content lies elsewhere, so that versions do not touch each other. */
function keyOf(path: string, sha256: string): string {
  return `${scope}${path}?sha256=${sha256}`;
}

async function sha256Of(bytes: ArrayBuffer): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-256', bytes));
  return Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
}

/** From the browser's own cache if that has the right content, else from the network. */
async function fetchExact(path: string, sha256: string): Promise<Response> {
  for (const cache of ['default', 'reload'] as const) {
    const response = await fetch(scope + path, { cache });
    if (!response.ok) throw new Error(`${path}: status ${response.status}`);
    const bytes = await response.arrayBuffer();
    if ((await sha256Of(bytes)) !== sha256) continue;
    const type = response.headers.get('content-type') ?? 'application/octet-stream';
    const headers = { ...ISOLATION, 'content-type': type, 'content-length': String(bytes.byteLength) };
    return new Response(bytes, { headers });
  }
  throw new Error(`${path}: its SHA-256 is not that of this version`);
}

async function install(): Promise<void> {
  const cache = await caches.open(CACHE);
  await Promise.all(
    FILES.map(async ([path, sha256]) => {
      const key = keyOf(path, sha256);
      if (!(await cache.match(key))) await cache.put(key, await fetchExact(path, sha256));
    }),
  );
}

/** Removes what no file of this version is. */
async function activate(): Promise<void> {
  const cache = await caches.open(CACHE);
  const needed = new Set(FILES.map(([path, sha256]) => keyOf(path, sha256)));
  for (const { url } of await cache.keys()) if (!needed.has(url)) await cache.delete(url);
  await worker.clients.claim();
}

/** From the cache; what the browser has evicted, from the network. */
async function answer(request: Request, path: string, sha256: string): Promise<Response> {
  const kept = await (await caches.open(CACHE)).match(keyOf(path, sha256));
  if (kept) return kept;
  const response = await fetch(request);
  if (!response.ok) return response;
  return new Response(response.body, { headers: { ...Object.fromEntries(response.headers), ...ISOLATION } });
}

worker.addEventListener('install', (event) => event.waitUntil(install()));
worker.addEventListener('activate', (event) => event.waitUntil(activate()));
worker.addEventListener('message', ({ data }) => {
  if (data === 'take over') void worker.skipWaiting();
});
worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const address = request.url.replace(/[?#].*$/, '');
  if (request.method !== 'GET' || !address.startsWith(scope)) return;
  const path = address.slice(scope.length).replace(/^index\.html$/, '');
  const sha256 = files.get(path);
  if (sha256 !== undefined) event.respondWith(answer(request, path, sha256));
});
