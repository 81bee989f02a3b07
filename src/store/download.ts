// From an address to a slot, piece by piece: several connections at once take the lowest piece that is missing, so that
// who reads along from the front waits least.
import type { UrlByteSource } from '../formats/source.ts';
import { abortable } from '../formats/window.ts';
import type { Backend, Slot } from './backend.ts';
import { pieceLength } from './blobs.ts';

export interface DownloadSetup {
  readonly backend: Backend;
  readonly slot: Slot;
  /** Pieces that are there. */
  readonly have: Set<number>;
  /** The first connection. One that can be read forwards only stays the only one. */
  readonly first: UrlByteSource;
  /** More connections. */
  readonly more: () => Promise<UrlByteSource>;
  readonly connections: number;
  /** Bounds how many pieces are on their way at once, of other files too: each is in memory as a whole. */
  readonly gate: <T>(task: () => Promise<T>) => Promise<T>;
  readonly onProgress?: (haveBytes: number, totalBytes: number) => void;
}

export interface Download {
  /** Begins with the first call. Resolves when all pieces are there. */
  done(): Promise<void>;
  /** Until bytes [offset, offset + length) are there; begins the download. */
  reach(offset: number, length: number, signal: AbortSignal | undefined): Promise<void>;
  /** Takes one piece from the first connection: whether the server still has what was begun. */
  takeOne(): Promise<void>;
  /** Lets go of the network; pieces that are there stay. */
  stop(reason: unknown): Promise<void>;
}

export function downloadInto(setup: DownloadSetup): Download {
  const { backend, slot, have, first, more, connections, gate, onProgress } = setup;
  const { bytes: totalBytes, pieceBytes } = slot.record;
  const stopper = new AbortController();
  const { signal: stopped } = stopper;
  const missing: number[] = [];
  /** Bytes of pieces on their way, by connection. */
  const partBytes = new Map<UrlByteSource, number>();
  let haveBytes = 0;
  let waiting: (() => void)[] = [];
  let failure: { error: unknown } | undefined;
  let running: Promise<void> | undefined;
  for (let index = 0; index * pieceBytes < totalBytes; index++) {
    if (have.has(index)) haveBytes += pieceLength(slot.record, index);
    else missing.push(index);
  }

  function report(): void {
    let bytes = haveBytes;
    for (const part of partBytes.values()) bytes += part;
    onProgress?.(bytes, totalBytes);
  }

  function wake(): void {
    for (const resolve of waiting) resolve();
    waiting = [];
  }

  async function take(source: UrlByteSource, index: number): Promise<void> {
    const start = index * pieceBytes;
    const length = pieceLength(slot.record, index);
    source.onProgress = (end) => {
      partBytes.set(source, Math.min(length, Math.max(0, end - start)));
      report();
    };
    const bytes = await source.read(start, length, stopped);
    stopped.throwIfAborted();
    await backend.write(slot, index, bytes);
    have.add(index);
    haveBytes += length;
    partBytes.delete(source);
    report();
    wake();
  }

  /** Takes pieces until none is missing. */
  async function lane(source: UrlByteSource): Promise<void> {
    let index: number | undefined;
    do {
      index = await gate(async () => {
        const next = missing.shift();
        if (next === undefined) return;
        try {
          await take(source, next);
        } catch (error) {
          missing.unshift(next);
          partBytes.delete(source);
          throw error;
        }
        return next;
      });
    } while (index !== undefined);
  }

  async function other(): Promise<void> {
    const source = await more();
    try {
      await lane(source);
    } catch (error) {
      // Servers that do not want many connections: the first goes on alone.
      if (stopped.aborted || (error as { code?: string }).code !== 'io') throw error;
    } finally {
      await source.close();
    }
  }

  async function run(): Promise<void> {
    const lanes = [lane(first)];
    if (!first.sequential) while (lanes.length < connections && lanes.length <= missing.length) lanes.push(other());
    try {
      await Promise.all(lanes);
      await lane(first); // what others gave back
    } catch (error) {
      stopper.abort(error);
      await Promise.allSettled(lanes); // nothing is written or told after who waits has heard of it
      failure = { error };
      wake();
      throw error;
    }
  }

  function done(): Promise<void> {
    running ??= run();
    running.catch(() => {}); // whoever waits for a piece is told too
    return running;
  }

  return {
    done,
    async reach(offset, length, signal) {
      for (let index = Math.floor(offset / pieceBytes); index * pieceBytes < offset + length; index++) {
        while (!have.has(index)) {
          void done();
          if (failure) throw failure.error;
          await abortable(new Promise<void>((resolve) => waiting.push(resolve)), signal, () => {});
        }
      }
    },
    async takeOne() {
      const index = missing.shift();
      if (index !== undefined) await take(first, index);
    },
    async stop(reason) {
      stopper.abort(reason);
      await running?.catch(() => {});
      await first.close();
    },
  };
}
