// A loopback server of the repository's files, or of a folder's, under several sets of headers: /coi/ isolated, /plain/ not,
// /csp/ ...
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join, normalize } from 'node:path';
import { fileURLToPath } from 'node:url';

const repository = fileURLToPath(new URL('../../', import.meta.url));
const TYPES: Record<string, string> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.html': 'text/html',
  '.gguf': 'application/octet-stream',
};
const ISOLATED = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };
const policy = (text: string) => ({ 'content-security-policy': text });
const CSP = policy("script-src 'self' 'wasm-unsafe-eval'");
const CSP_BLOB = policy("script-src 'self' 'wasm-unsafe-eval'; worker-src 'self' blob:");
/** By the first part of a path. */
const HEADERS: Record<string, Record<string, string>> = {
  plain: {},
  coi: ISOLATED,
  csp: CSP,
  'csp-coi': { ...CSP, ...ISOLATED },
  cspblob: CSP_BLOB,
  'cspblob-coi': { ...CSP_BLOB, ...ISOLATED },
  /** No worker at all. */
  cspnone: policy("script-src 'self' 'wasm-unsafe-eval'; worker-src 'none'"),
  nowasm: policy("script-src 'self'"),
  /** For pages of other origins, opaque ones too. */
  cors: { 'access-control-allow-origin': '*' },
};

export interface TestServer {
  readonly origin: string;
  /** Paths that were asked for, in order. */
  readonly requests: string[];
  close(): Promise<void>;
}

export async function serve(root = repository): Promise<TestServer> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    requests.push(pathname);
    if (pathname === '/favicon.ico') {
      response.writeHead(204).end();
      return;
    }
    const [, set = '', ...rest] = normalize(pathname).split('/');
    const headers = HEADERS[set];
    const file = join(root, ...rest);
    const stat = statSync(file, { throwIfNoEntry: false });
    if (!(set in HEADERS) || !stat?.isFile()) {
      response.writeHead(404).end('not here');
      return;
    }
    const { size } = stat;
    const base = {
      ...headers,
      'content-type': TYPES[extname(file)] ?? 'text/plain',
      'accept-ranges': 'bytes',
      etag: '"1"',
    };
    const range = /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    if (!range) {
      response.writeHead(200, { ...base, 'content-length': size });
      createReadStream(file).pipe(response);
      return;
    }
    const start = Number(range[1]);
    const end = Math.min(size - 1, range[2] ? Number(range[2]) : size - 1);
    if (start >= size) {
      response.writeHead(416, { ...base, 'content-range': `bytes */${size}` }).end();
      return;
    }
    response.writeHead(206, {
      ...base,
      'content-length': end - start + 1,
      'content-range': `bytes ${start}-${end}/${size}`,
    });
    createReadStream(file, { start, end }).pipe(response);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  return {
    origin: `http://127.0.0.1:${port}`,
    requests,
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
