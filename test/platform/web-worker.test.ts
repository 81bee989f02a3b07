// The chain by which a page gets a worker: blob, file, none. Browsers are in test/runtimes; here what they do by chance.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';

type Behaviour = 'hello' | 'blocked' | 'throws' | 'silent' | 'not a module';

const FILE = 'https://example.test/ternlight-worker.js';
let started: string[];
let terminated: number;
let how: { blob: Behaviour; file: Behaviour };

class FakeWorker {
  onmessage: ((event: { data: unknown }) => void) | undefined;
  onerror: ((event: { message: string; preventDefault(): void }) => void) | undefined;

  constructor(url: string, options?: WorkerOptions) {
    const kind = url.startsWith('blob:') ? 'blob' : 'file';
    started.push(kind === 'blob' ? 'blob' : `${url} ${options?.type} ${options?.name}`);
    const behaviour = how[kind];
    if (behaviour === 'throws') throw new DOMException('The operation is insecure.', 'SecurityError');
    const error = (message: string) => this.onerror?.({ message, preventDefault() {} });
    queueMicrotask(() => {
      if (behaviour === 'hello') this.onmessage?.({ data: 'hello' });
      else if (behaviour === 'blocked') error('');
      else if (behaviour === 'not a module') error('SyntaxError: Cannot use import statement outside a module');
    });
  }

  postMessage(): void {}

  terminate(): void {
    terminated++;
  }
}

/** Fresh: what a page has found out is kept in the module. */
async function chain() {
  vi.resetModules();
  const { spawn } = await import('../../src/platform/web-worker.ts');
  return () => spawn('pool', 'program', FILE);
}

const failed = (promise: Promise<unknown>) =>
  promise.then(
    () => 'no error',
    ({ name, code, message }) => `${name} ${code} ${message}`,
  );

beforeEach(() => {
  started = [];
  terminated = 0;
  vi.stubGlobal('Worker', FakeWorker);
  vi.useFakeTimers();
});
afterEach(() => {
  vi.unstubAllGlobals();
  vi.useRealTimers();
});

describe('a worker comes', () => {
  it('from a blob, where that is allowed', async () => {
    how = { blob: 'hello', file: 'throws' };
    const spawn = await chain();
    expect((await spawn()).from).toBe('a blob');
    expect((await spawn()).from).toBe('a blob');
    expect(started).toEqual(['blob', 'blob']);
    expect(terminated).toBe(0);
  });

  it.each(['blocked', 'throws'] as const)('from the file, where a blob is %s, which is tried once', async (blob) => {
    how = { blob, file: 'hello' };
    const spawn = await chain();
    expect((await spawn()).from).toBe(FILE);
    expect((await spawn()).from).toBe(FILE);
    expect(started).toEqual(['blob', `${FILE} module pool`, `${FILE} module pool`]);
  });

  it('from the file, where a blob says nothing', async () => {
    how = { blob: 'silent', file: 'hello' };
    const spawn = await chain();
    const asked = spawn();
    await vi.advanceTimersByTimeAsync(20_000);
    expect((await asked).from).toBe(FILE);
    expect(terminated).toBe(1);
  });

  it('not at all, and says what was tried', async () => {
    how = { blob: 'blocked', file: 'not a module' };
    expect(await failed((await chain())())).toMatch(
      /^TernlightError environment worker: none could be started, from a blob \(blocked, or not found\) or from https:\/\/example.test\/ternlight-worker.js \(SyntaxError: .*\); .*worker-src blob:/,
    );
    how = { blob: 'silent', file: 'silent' };
    const silent = failed((await chain())());
    await vi.advanceTimersByTimeAsync(40_000);
    expect(await silent).toMatch(/a blob \(no answer within 20 s\) or from .* \(no answer within 20 s\)/);
  });

  it('not where there are none', async () => {
    vi.stubGlobal('Worker', undefined);
    expect(await failed((await chain())())).toMatch(/environment worker: this context has no Worker/);
  });
});
