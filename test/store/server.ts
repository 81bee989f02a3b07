// A server on the loopback interface that gives one file at every path, and misbehaves on demand.
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { promisify } from 'node:util';

export interface Behaviour {
  body: Uint8Array;
  /** Undefined: none is told. */
  etag: string | undefined;
  /** Answers 200 with the whole to everything. */
  ignoresRanges: boolean;
  /** Sends no Content-Length. */
  chunked: boolean;
  /** Tells so many bytes more than there are. */
  liesByBytes: number;
  /** Destroys each connection after so many bytes of body. */
  cutAfterBytes: number;
  /** Milliseconds before each 64 KiB of body. */
  slowMs: number;
  status: number;
  /** In place of the one body; other paths are not there. */
  files: Record<string, Uint8Array> | undefined;
  /** Paths that are not there. */
  missing: RegExp;
}

export interface FileServer {
  readonly origin: string;
  readonly behaviour: Behaviour;
  /** "path range" of each request. */
  readonly requests: string[];
  /** Bytes of body that were asked for, by what the answers promised. */
  readonly promised: () => number;
  /** How many clients are connected. None: all that they asked for is in `requests`. */
  connections(): Promise<number>;
  /** Ends all connections, as a network does that is gone. */
  drop(): void;
  close(): Promise<void>;
}

export async function fileServer(body: Uint8Array, behaviour: Partial<Behaviour> = {}): Promise<FileServer> {
  const requests: string[] = [];
  let promised = 0;
  const how: Behaviour = {
    ...{
      body,
      etag: '"a"',
      ignoresRanges: false,
      chunked: false,
      liesByBytes: 0,
      slowMs: 0,
      status: 200,
      files: undefined,
    },
    ...{ cutAfterBytes: Number.POSITIVE_INFINITY, missing: /^\/missing/ },
    ...behaviour,
  };
  const server = createServer((request, response) => {
    requests.push(`${request.url} ${request.headers.range ?? '-'}`);
    const content = how.files ? how.files[request.url!] : how.body;
    if (!content || how.missing.test(request.url!)) return void response.writeHead(404).end();
    if (how.status !== 200) return void response.writeHead(how.status).end();
    const range = how.ignoresRanges ? null : /^bytes=(\d+)-(\d*)$/.exec(request.headers.range ?? '');
    const size = content.length;
    const start = Number(range?.[1] ?? 0);
    const end = range?.[2] ? Math.min(size, Number(range[2]) + 1) : size;
    const headers: Record<string, string> = { 'access-control-allow-origin': '*' };
    if (how.etag) headers.etag = how.etag;
    if (range && start >= size) return void response.writeHead(416, headers).end();
    if (range) headers['content-range'] = `bytes ${start}-${end - 1}/${size + how.liesByBytes}`;
    if (!how.chunked) headers['content-length'] = String(end - start + how.liesByBytes);
    response.writeHead(range ? 206 : 200, headers);
    promised += end - start;
    void send(response, content.subarray(start, end), how);
  });
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  return {
    origin: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    behaviour: how,
    requests,
    promised: () => promised,
    connections: () => promisify(server.getConnections.bind(server))(),
    drop: () => server.closeAllConnections(),
    close: () =>
      new Promise((closed) => {
        server.closeAllConnections();
        server.close(() => closed());
      }),
  };
}

async function send(response: ServerResponse, body: Uint8Array, { cutAfterBytes, slowMs, liesByBytes }: Behaviour) {
  const step = slowMs > 0 ? 1 << 16 : 1 << 20;
  const length = Math.min(body.length, cutAfterBytes);
  for (let at = 0; at < length && !response.destroyed; at += step) {
    if (slowMs > 0) await new Promise((resolve) => setTimeout(resolve, slowMs));
    await new Promise<void>((written) => {
      const closed = () => written();
      response.once('close', closed);
      response.write(body.subarray(at, Math.min(length, at + step)), () => {
        response.off('close', closed);
        written();
      });
    });
  }
  if (length < body.length || liesByBytes > 0) response.destroy();
  else response.end();
}
