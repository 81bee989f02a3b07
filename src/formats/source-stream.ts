// A ReadableStream as a source: offsets in rising order, with a window of the last few MiB to go back in. Pulls only
// what is asked for, so a slow reader slows the writer.

import { TernlightError } from '../errors.ts';
import { checkRange, pastEnd } from './range.ts';
import type { ByteSource } from './types.ts';
import { abortable, queue, Window } from './window.ts';

export interface StreamSourceOptions {
  /** For messages. Default "stream". */
  name?: string;
  /** Size of the whole, if known. Default: unknown until the end has been met. */
  byteLength?: number;
  onProgress?: (readBytes: number, totalBytes: number | undefined) => void;
}

/** Takes over the stream: nobody else may read it. An aborted read ends the source. */
export function streamSource(stream: ReadableStream<Uint8Array>, options: StreamSourceOptions = {}): ByteSource {
  const { name = 'stream', onProgress } = options;
  const reader = stream.getReader();
  const window = new Window(0);
  const inTurn = queue();
  let byteLength = options.byteLength;

  async function read(offset: number, length: number, signal?: AbortSignal): Promise<Uint8Array> {
    signal?.throwIfAborted();
    checkRange(name, byteLength, offset, length);
    if (offset < window.start) throw tooFarBack(name, offset, window.start);
    const out = new Uint8Array(length);
    let filled = window.copy(offset, out);
    while (filled < length) {
      const { done, value } = await next(signal);
      if (done) {
        byteLength = window.end; // it may have promised more
        throw pastEnd(name, window.end, offset + length);
      }
      // Copied from the part itself: a read may be longer than the window.
      filled = place(value, window.end, out, offset, filled);
      window.push(value, offset + length);
      onProgress?.(window.end, byteLength);
    }
    return out;
  }

  async function next(signal: AbortSignal | undefined) {
    try {
      return await abortable(reader.read(), signal, () => void reader.cancel().catch(() => {}));
    } catch (cause) {
      if (signal?.aborted) throw signal.reason;
      throw new TernlightError('io', `source: ${name} broke off at byte ${window.end}: ${cause}; start again`, {
        cause,
      });
    }
  }

  return {
    name,
    sequential: true,
    get byteLength() {
      return byteLength;
    },
    read: (offset, length, signal) => inTurn(() => read(offset, length, signal)),
    close: () => reader.cancel().catch(() => {}),
  };
}

/** Copies what `part`, which stands at `partAt`, has of `out`, which stands at `outAt`; returns how much is filled. */
export function place(part: Uint8Array, partAt: number, out: Uint8Array, outAt: number, filled: number): number {
  const skip = Math.max(0, outAt + filled - partAt);
  const piece = part.subarray(skip, skip + out.byteLength - filled);
  out.set(piece, filled);
  return filled + piece.byteLength;
}

export function tooFarBack(name: string, offset: number, start: number): TernlightError {
  return new TernlightError(
    'io',
    `source: ${name} can be read forwards only: byte ${offset} was asked for, expected ${start} or later; use a source with random access`,
  );
}
