// A worker that stands still while it loads is an error, and one that answers may take as long as it likes.
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import type { WorkerHandle } from '../../src/platform/platform.ts';
import { Connection } from '../../src/remote/connection.ts';

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

function open(answers: () => boolean) {
  let terminated = 0;
  let asked = 0;
  let tell = (_: unknown) => {};
  const worker: WorkerHandle = {
    from: 'a test',
    post(message) {
      const { id, method } = message as { id: number; method: string };
      if (method === 'session') asked = id;
      if (method === 'ping' && answers()) queueMicrotask(() => tell({ id, kind: 'value' }));
    },
    onMessage: (listener) => {
      tell = listener;
    },
    onError: () => {},
    background: () => {},
    terminate: () => {
      terminated++;
    },
  };
  const connection = new Connection(worker);
  const state = { outcome: 'pending' };
  connection.watchedCall({ method: 'session' }, {}).then(
    () => {
      state.outcome = 'resolved';
    },
    ({ code, message }) => {
      state.outcome = `${code}: ${message}`;
    },
  );
  return { connection, state, terminated: () => terminated, answer: () => tell({ id: asked, kind: 'value' }) };
}

it('a worker that answers may take as long as it likes', async () => {
  const { connection, state, answer } = open(() => true);
  await vi.advanceTimersByTimeAsync(600_000);
  expect(state.outcome).toBe('pending');
  answer();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(state.outcome).toBe('resolved');
  expect(connection.stoodStill).toBe(false);
  expect(vi.getTimerCount()).toBe(0);
});

it('one that stands still is ended after 15 s', async () => {
  let turns = true;
  const { connection, state, terminated } = open(() => turns);
  await vi.advanceTimersByTimeAsync(60_000);
  turns = false;
  await vi.advanceTimersByTimeAsync(12_000);
  expect(state.outcome).toBe('pending');
  await vi.advanceTimersByTimeAsync(6_000);
  expect(state.outcome).toMatch(/^environment: engine: its worker died \(no answer for 15 s\); .*with threads: 1/);
  expect(connection.stoodStill).toBe(true);
  expect(terminated()).toBe(1);
  await expect(connection.call({ method: 'session' })).rejects.toThrow(/its worker died/);
  expect(vi.getTimerCount()).toBe(0);
});
