// Sources over HTTP, against a server on the loopback interface that misbehaves on demand.

import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, beforeEach, expect, test } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { urlSource } from '../../src/formats/source.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import { expectBytes } from '../truth.ts';

const data = new Uint8Array(9_000_000).map((_, i) => (i * 7) ^ (i >> 8));

interface Behaviour {
  ranges: boolean;
  /** Send no Content-Length. */
  chunked: boolean;
  /** Destroy the connection after so many bytes, for the first so many answers. */
  cutAfterBytes: number;
  cuts: number;
  status: number;
  /** Statuses of the answers after the first, before it works again. */
  later: number[];
  etag: (request: number) => string | undefined;
  shiftBytes: number;
  exposeRange: boolean;
  body: Uint8Array;
}

let behaviour: Behaviour;
let requests: (string | undefined)[];
let server: Server;
let base: string;
/** Another one for each test: a request that a test left behind is not counted in the next. */
let url: string;
let tests = 0;

beforeAll(async () => {
  server = createServer(answer);
  await new Promise<void>((ready) => server.listen(0, '127.0.0.1', ready));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
});
afterAll(() => {
  server.closeAllConnections();
  server.close();
});
beforeEach(() => {
  requests = [];
  url = `${base}/${++tests}.gguf`;
  behaviour = {
    ranges: true,
    chunked: false,
    cutAfterBytes: Number.POSITIVE_INFINITY,
    cuts: Number.POSITIVE_INFINITY,
    status: 200,
    later: [],
    etag: () => '"a"',
    shiftBytes: 0,
    exposeRange: true,
    body: data,
  };
});

function answer(request: IncomingMessage, response: ServerResponse): void {
  const { range } = request.headers;
  if (!url.endsWith(request.url!.replace(/\?.*/, ''))) return void response.destroy();
  requests.push(range);
  const { body, ranges, shiftBytes } = behaviour;
  const later = requests.length > 1 ? behaviour.later.shift() : undefined;
  const status = later ?? behaviour.status;
  if (status !== 200) {
    response.writeHead(status).end('<html>no</html>');
    return;
  }
  const asked = ranges ? Number(/bytes=(\d+)-/.exec(range ?? '')?.[1] ?? 0) : 0;
  if (ranges && asked >= body.length) {
    response.writeHead(416, { 'content-range': `bytes */${body.length}` }).end();
    return;
  }
  const start = asked + shiftBytes;
  const headers: Record<string, string> = {};
  const etag = behaviour.etag(requests.length);
  if (etag) headers.etag = etag;
  if (ranges && behaviour.exposeRange) headers['content-range'] = `bytes ${start}-${body.length - 1}/${body.length}`;
  if (!behaviour.chunked) headers['content-length'] = String(body.length - start);
  response.writeHead(ranges ? 206 : 200, headers);
  const cut = requests.length <= behaviour.cuts ? behaviour.cutAfterBytes : Number.POSITIVE_INFINITY;
  if (start + cut < body.length) response.write(body.subarray(start, start + cut), () => response.destroy());
  else response.end(body.subarray(start));
}

const quick = { retryMs: 1 };

test('one request feeds all reads that go forwards; a jump makes another', async () => {
  const progress: number[] = [];
  const source = await urlSource(url, { onProgress: (bytes, total) => progress.push(bytes, total!) });
  expect(source.name).toBe(url);
  expect(source.byteLength).toBe(data.length);
  for (let at = 0; at < 3_000_000; at += 100_000) {
    expectBytes(await source.read(at, 100_000), data.subarray(at, at + 100_000));
  }
  expectBytes(await source.read(3_500_000, 10), data.subarray(3_500_000, 3_500_010)); // skipped over
  expectBytes(await source.read(2_900_000, 10), data.subarray(2_900_000, 2_900_010)); // kept
  expect(requests).toEqual(['bytes=0-']);
  expectBytes(await source.read(8_000_000, 1_000_000), data.subarray(8_000_000));
  expectBytes(await source.read(100, 200), data.subarray(100, 300));
  expect(requests).toEqual(['bytes=0-', 'bytes=8000000-', 'bytes=100-']);
  expect(progress.filter((_, i) => i % 2).every((total) => total === data.length)).toBe(true);
  expect(Math.max(...progress)).toBe(data.length);
  await expect(source.read(data.length, 1)).rejects.toThrow('is cut short');
  await source.close();
  await expect(source.read(0, 1)).rejects.toMatchObject({ code: 'disposed' });
});

test('a server whose Content-Range is hidden from other origins', async () => {
  behaviour.exposeRange = false;
  const source = await urlSource(url);
  expect(source.byteLength).toBe(data.length);
  expectBytes(await source.read(8_000_000, 5), data.subarray(8_000_000, 8_000_005));
  await source.close();
});

test.each([true, false])('a server without ranges is read as a stream (chunked: %s)', async (chunked) => {
  Object.assign(behaviour, { ranges: false, chunked });
  const source = await urlSource(url);
  expect(source.byteLength).toBe(chunked ? undefined : data.length);
  expectBytes(await source.read(10, 1000), data.subarray(10, 1010));
  expectBytes(await source.read(6_000_000, 1000), data.subarray(6_000_000, 6_001_000));
  await expect(source.read(0, 1)).rejects.toThrow('can be read forwards only: byte 0 was asked for');
  expectBytes(await source.read(data.length - 5, 5), data.subarray(data.length - 5));
  await expect(source.read(data.length - 5, 6)).rejects.toThrow('is cut short: has 9000000 bytes');
  expect(source.byteLength).toBe(data.length);
  expect(requests.length).toBe(1);
  await source.close();
});

test.each([
  [404, 'answered with status 404 Not Found, expected 200 or 206; check the address'],
  [403, 'answered with status 403 Forbidden, expected 200 or 206; it needs a permission'],
  [503, 'could not be had: answered with status 503|answered with status 503 Service Unavailable'],
])('status %i', async (status, text) => {
  behaviour.status = status;
  const asked = urlSource(`${url}?token=secret`);
  await expect(asked).rejects.toMatchObject({ code: 'io', message: expect.stringMatching(text) });
  await expect(asked).rejects.not.toThrow('secret');
});

test('nobody there', async () => {
  await expect(urlSource('http://127.0.0.1:9/x')).rejects.toMatchObject({
    code: 'io',
    message: expect.stringMatching(/^source: http:\/\/127.0.0.1:9\/x could not be had: .*; check address and network$/),
  });
});

test('an empty file', async () => {
  behaviour.body = new Uint8Array(0);
  const source = await urlSource(url);
  expect(source.byteLength).toBe(0);
  await expect(readGguf(source)).rejects.toThrow('an empty file');
});

test('a broken connection is taken up where it broke', async () => {
  Object.assign(behaviour, { cutAfterBytes: 2_000_000, later: [] });
  const source = await urlSource(url, quick);
  expectBytes(await source.read(0, data.length), data);
  expect(requests.length).toBeGreaterThan(3);
  const starts = requests.map((range) => Number(/\d+/.exec(range!)![0]));
  expect(starts).toEqual([...starts].sort((a, b) => a - b));
});

test('a server that fails for a while, then not', async () => {
  Object.assign(behaviour, { cutAfterBytes: 2_000_000, cuts: 1, later: [503, 429, 500] });
  const source = await urlSource(url, quick);
  expectBytes(await source.read(0, data.length), data);
});

test('a server that fails for good', async () => {
  Object.assign(behaviour, { cutAfterBytes: 2_000_000, cuts: 1, later: Array(100).fill(503) });
  const source = await urlSource(url, { ...quick, retries: 3 });
  await expect(source.read(0, data.length)).rejects.toMatchObject({
    code: 'io',
    message: expect.stringMatching(/the connection broke at byte \d+ of 9000000: .*503.*; 3 more attempts failed/),
  });
});

test('a broken connection without ranges', async () => {
  Object.assign(behaviour, { cutAfterBytes: 2_000_000, ranges: false });
  const source = await urlSource(url, quick);
  await expect(source.read(0, data.length)).rejects.toMatchObject({
    code: 'io',
    message: expect.stringMatching(/the connection broke at byte \d+ of 9000000: .*; the server does not do ranges/),
  });
  expect(requests.length).toBe(1);
});

test('a file that changes in between', async () => {
  behaviour.etag = (request) => `"${request}"`;
  const source = await urlSource(url, quick);
  await source.read(0, 100);
  await expect(source.read(8_000_000, 1)).rejects.toMatchObject({
    code: 'io',
    message: `source: ${url} changed while it was being read; start again`,
  });
});

test('a file that changes its size, from a server without ETags', async () => {
  behaviour.etag = () => undefined;
  const source = await urlSource(url, quick);
  await source.read(0, 100);
  behaviour.body = data.subarray(0, 8_500_000);
  await expect(source.read(8_000_000, 1)).rejects.toThrow('changed while it was being read');
});

test('a server that answers another range than was asked', async () => {
  behaviour.shiftBytes = 5;
  await expect(urlSource(url)).rejects.toThrow('sent bytes from 5, expected from 0; the server does ranges wrongly');
});

test('aborting one read leaves the source usable; aborting the source does not', async () => {
  const whole = new AbortController();
  const source = await urlSource(url, { ...quick, signal: whole.signal });
  const one = new AbortController();
  const read = source.read(0, data.length, one.signal);
  one.abort(new Error('one'));
  await expect(read).rejects.toThrow('one');
  expectBytes(await source.read(1000, 10), data.subarray(1000, 1010));
  whole.abort(new Error('all'));
  await expect(source.read(2000, 10)).rejects.toThrow('all');
  await expect(urlSource(url, { signal: AbortSignal.abort(new Error('early')) })).rejects.toThrow('early');
});

test('a model over HTTP: header, then tensors, in one request, with and without ranges', async () => {
  const model = syntheticModel('tiny');
  behaviour.body = await model.read(0, model.byteLength!);
  for (const ranges of [true, false]) {
    requests = [];
    behaviour.ranges = ranges;
    const source = await urlSource(url, { headers: { 'x-test': '1' } });
    const { tensors } = await readGguf(source);
    for (const { offsetBytes, lengthBytes } of tensors) {
      expectBytes(await source.read(offsetBytes, lengthBytes), await model.read(offsetBytes, lengthBytes));
    }
    expect(requests.length).toBe(1);
  }
});

test('a web page in place of a model', async () => {
  behaviour.body = new TextEncoder().encode('<!doctype html><title>Sign in</title>');
  await expect(readGguf(await urlSource(url))).rejects.toThrow('it looks like a web page or XML');
});
