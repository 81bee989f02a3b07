// The store between processes, on the command line: killed ones, two at once.
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { fileStore } from '../../src/platform/file-store.ts';
import { openWhole } from '../../src/store/keep.ts';
import { expectBytes } from '../truth.ts';
import { type FileServer, fileServer } from './server.ts';

const program = fileURLToPath(new URL('../../dist/cli.js', import.meta.url));
const data = new Uint8Array(50_000_000).map((_, i) => (i * 5) ^ (i >> 9));
/** Of 8 MiB. */
const pieces = 6;

let server: FileServer;
let folder: string;
let url: string;
let children: ChildProcess[] = [];

beforeEach(async () => {
  server = await fileServer(data);
  folder = mkdtempSync(join(tmpdir(), 'ternlight-store-'));
  url = `${server.origin}/model.gguf`;
});
afterEach(async () => {
  for (const child of children) child.kill('SIGKILL');
  children = [];
  await server.close();
  rmSync(folder, { recursive: true, force: true });
});

function add(): ChildProcess {
  const env = { ...process.env, TERNLIGHT_CACHE: folder };
  const child = spawn(process.execPath, [program, 'cache', 'add', url], { env, stdio: 'ignore' });
  children.push(child);
  return child;
}

/** Pieces whose line is there as a whole. */
const have = () => {
  const list = readdirSync(folder).find((name) => name.endsWith('.pieces'));
  return list ? readFileSync(join(folder, list), 'utf8').split('\n').length - 1 : 0;
};
const lock = () => readdirSync(folder).find((name) => name.endsWith('.lock'));

async function expectKept(): Promise<void> {
  const source = await openWhole(url, await fileStore(folder));
  expectBytes(await source!.read(0, data.length), data);
  await source!.close();
  expect(lock()).toBeUndefined();
}

async function killed(): Promise<number> {
  server.behaviour.slowMs = 4;
  const child = add();
  await expect.poll(have, { timeout: 30_000, interval: 20 }).toBeGreaterThan(0);
  child.kill('SIGKILL');
  await once(child, 'exit');
  // With its last piece it had asked for the next: that may reach the server after its end has reached us.
  await expect.poll(server.connections).toBe(0);
  server.behaviour.slowMs = 0;
  expect(lock()).toBeDefined();
  return have();
}

it('a killed process leaves pieces that are gone on with, and a lock that counts no more', async () => {
  const before = await killed();
  expect(before).toBeLessThan(pieces);
  server.requests.length = 0;
  const promised = server.promised();
  const [code] = await once(add(), 'exit');
  expect(code).toBe(0);
  expect(server.requests.length).toBe(pieces - before);
  expect(server.promised() - promised).toBeLessThanOrEqual(data.length - (before - 1) * 2 ** 23);
  await expectKept();
});

it('of two processes one downloads, the other waits for it', async () => {
  server.behaviour.slowMs = 2;
  const codes = await Promise.all([add(), add()].map(async (child) => (await once(child, 'exit'))[0]));
  expect(codes).toEqual([0, 0]);
  expect(server.requests.length).toBe(pieces);
  await expectKept();
});

it("another machine's lock counts while it is renewed", async () => {
  await killed();
  const path = join(folder, lock()!);
  writeFileSync(path, JSON.stringify({ pid: 1, host: 'elsewhere' }));
  const child = add();
  await new Promise((resolve) => setTimeout(resolve, 1500));
  expect(existsSync(path)).toBe(true);
  expect(child.exitCode).toBeNull();
  utimesSync(path, new Date(0), new Date(0));
  await once(child, 'exit');
  expect(child.exitCode).toBe(0);
  await expectKept();
});
