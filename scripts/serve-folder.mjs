// A folder's files over HTTP on the loopback interface, as hosts of static files do it: entity tags, gzip for text,
// and what it sent, to be counted.
import { createHash } from 'node:crypto';
import { readFileSync, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';
import { gzipSync } from 'node:zlib';

const TYPES = {
  '.css': 'text/css',
  '.gguf': 'application/octet-stream',
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript',
  '.json': 'application/json',
  '.png': 'image/png',
  '.svg': 'image/svg+xml',
  '.webmanifest': 'application/manifest+json',
};
const COMPRESSED = /^(text|application\/(json|manifest)|image\/svg)/;
const ISOLATION = { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' };

/**
 * Serves `folder` below `base` ('/' or '/name/'); everything else is 404. `sent` has a line for each answer: path,
 * status and bytes of body. `replace` changes a file's content without touching it: path below the folder -> content.
 */
export async function serveFolder(folder, { isolated = true, port = 0, base = '/' } = {}) {
  const sent = [];
  const replaced = new Map();

  function content(path) {
    if (replaced.has(path)) return replaced.get(path);
    const file = join(folder, path);
    return statSync(file, { throwIfNoEntry: false })?.isFile() ? readFileSync(file) : undefined;
  }

  const server = createServer((request, response) => {
    const { pathname } = new URL(request.url ?? '/', 'http://localhost');
    const below = pathname.startsWith(base) ? normalize(decodeURIComponent(pathname.slice(base.length))) : '..';
    const path = below === '.' || below === '' ? 'index.html' : below;
    const answer = (status, headers, body = Buffer.alloc(0)) => {
      sent.push({ path, status, bytes: body.length });
      response.writeHead(status, { ...(isolated && ISOLATION), ...headers, 'content-length': body.length });
      response.end(request.method === 'HEAD' ? undefined : body);
    };
    const body = path.startsWith('..') ? undefined : content(path);
    if (!body) return answer(404, { 'content-type': 'text/plain' }, Buffer.from('not here\n'));
    const etag = `"${createHash('sha256').update(body).digest('hex').slice(0, 16)}"`;
    const headers = { etag, 'cache-control': 'no-cache', 'content-type': TYPES[extname(path)] ?? 'text/plain' };
    if (request.headers['if-none-match'] === etag) return answer(304, headers);
    if (!COMPRESSED.test(headers['content-type']) || !/\bgzip\b/.test(request.headers['accept-encoding'] ?? ''))
      return answer(200, headers, body);
    return answer(200, { ...headers, 'content-encoding': 'gzip', vary: 'accept-encoding' }, gzipSync(body));
  });
  await new Promise((resolve, reject) => {
    server.on('error', reject);
    server.listen(port, '127.0.0.1', resolve);
  });
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    sent,
    replace: (path, text) => void replaced.set(path, Buffer.from(text)),
    close: () =>
      new Promise((resolve) => {
        server.closeAllConnections();
        server.close(() => resolve());
      }),
  };
}
