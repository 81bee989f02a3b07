// A loopback server of files under two sets of headers: /coi/ isolated, so that threads can share memory, /plain/ not.
import { createReadStream, statSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname, join, normalize } from 'node:path';

const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
};
const HEADERS = {
  coi: { 'cross-origin-opener-policy': 'same-origin', 'cross-origin-embedder-policy': 'require-corp' },
  plain: {},
};

/** @param folders folder by the name it is served under */
export async function serve(folders) {
  const server = createServer((request, response) => {
    const [, set, name, ...rest] = normalize(new URL(request.url, 'http://localhost').pathname).split('/');
    const file = Object.hasOwn(folders, name ?? '') ? join(folders[name], ...rest) : '';
    const stat = file ? statSync(file, { throwIfNoEntry: false }) : undefined;
    if (!Object.hasOwn(HEADERS, set ?? '') || !stat?.isFile()) {
      response.writeHead(404).end();
      return;
    }
    const type = TYPES[extname(file)] ?? 'application/octet-stream';
    response.writeHead(200, { ...HEADERS[set], 'content-type': type, 'content-length': stat.size });
    createReadStream(file, { highWaterMark: 1 << 20 })
      .on('error', () => response.destroy())
      .pipe(response);
  });
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  return {
    origin: `http://127.0.0.1:${server.address().port}`,
    close() {
      server.closeAllConnections();
      server.close();
    },
  };
}
