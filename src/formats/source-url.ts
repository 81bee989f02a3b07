// An address as a source. Reads that go forwards are fed from one response, as fast as the network gives it; a jump
// opens another one where the server does ranges. A broken connection is taken up where it broke, if the file is
// still the same. A server without ranges is read as a stream.

import { TernlightError } from '../errors.ts';
import { checkRange, pastEnd } from './range.ts';
import { place, tooFarBack } from './source-stream.ts';
import type { ByteSource } from './types.ts';
import { abortable, queue, Window } from './window.ts';

export interface UrlSourceOptions {
  /** Default: the global one. */
  fetch?: typeof fetch;
  /** Sent with every request, such as an Authorization. */
  headers?: Record<string, string>;
  /** Ends the source for good. */
  signal?: AbortSignal;
  /** After each piece from the network: how far the file has been read, and its size where known. */
  onProgress?: (readBytes: number, totalBytes: number | undefined) => void;
  /** Attempts to take up a broken connection, before it counts as broken. Starts anew with every byte gained. Default 5. */
  retries?: number;
  /** Wait before the first of them; doubles each time. Default 200. */
  retryMs?: number;
  /** Ask for what a read needs and no more, once the server has shown that it does ranges. Default: to the end. */
  bounded?: boolean;
  /** A file that has been begun before: nothing is asked for until the first read, and the answer must be of this file. */
  begun?: FileVersion;
}

/** What tells one state of a file at an address from another. */
export interface FileVersion {
  /** Entity tag or date of change; undefined where the server tells neither. */
  readonly version: string | undefined;
  readonly byteLength: number;
}

/** The file is not the one that was begun. */
export class ChangedError extends TernlightError {}

export interface UrlByteSource extends ByteSource {
  /** As FileVersion, after the first answer. */
  readonly version: string | undefined;
  /** As in the options. */
  onProgress: UrlSourceOptions['onProgress'];
}

/** A gap up to this is read through rather than jumped: a new request costs about as much. */
const skipBytes = 1 << 20;

/** Asks for the file and returns once the server has answered. Throws 'io' with the status, ChangedError ('io'). */
export async function urlSource(url: string | URL, options: UrlSourceOptions = {}): Promise<UrlByteSource> {
  const source = new UrlSource(String(url), options);
  if (!options.begun) await source.start();
  return source;
}

/** A failure that another attempt may mend. */
class Broken {
  constructor(readonly cause: unknown) {}
}

class UrlSource implements UrlByteSource {
  readonly name: string;
  byteLength: number | undefined;
  private readonly inTurn = queue();
  private window = new Window(0);
  /** The response that is being read, at `window.end`. */
  private body: ReadableStreamDefaultReader<Uint8Array> | undefined;
  private connection = new AbortController();
  private ranges = false;
  /** ETag or date of the first answer. */
  version: string | undefined;
  onProgress: UrlSourceOptions['onProgress'];
  private answered = false;
  private closed = false;
  /** Where the read that is going on ends, and where the open answer does. */
  private wantedEnd = 0;
  private askedEnd: number | undefined;

  constructor(
    private readonly url: string,
    private readonly options: UrlSourceOptions,
  ) {
    // Queries hold signatures and tokens, which do not belong in messages.
    this.name = withoutSecrets(url);
    this.onProgress = options.onProgress;
    if (!options.begun) return;
    ({ version: this.version, byteLength: this.byteLength } = options.begun);
    this.answered = true;
    this.ranges = true;
  }

  get sequential(): boolean {
    return !this.ranges;
  }

  async start(): Promise<void> {
    const { signal, retries = 5, retryMs = 200 } = this.options;
    for (let failures = 0; ; failures++) {
      try {
        return await this.open(0, signal);
      } catch (error) {
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof Broken)) throw error;
        // Once more only: a kept-alive connection may have died unseen, but who is offline wants to know soon.
        if (failures >= Math.min(1, retries)) {
          throw this.io(`could not be had: ${reasonOf(error.cause)}; check address and network`);
        }
        await abortable(wait(retryMs), signal, () => {});
      }
    }
  }

  read(offset: number, length: number, signal = this.options.signal): Promise<Uint8Array> {
    return this.inTurn(() => this.readNow(offset, length, signal));
  }

  async close(): Promise<void> {
    this.closed = true;
    this.hangUp();
  }

  private async readNow(offset: number, length: number, signal: AbortSignal | undefined): Promise<Uint8Array> {
    if (this.closed) throw new TernlightError('disposed', `source: ${this.name} has been closed`);
    this.options.signal?.throwIfAborted();
    signal?.throwIfAborted();
    checkRange(this.name, this.byteLength, offset, length);
    const gap = this.body && !this.options.bounded ? skipBytes : 0;
    if (this.ranges && length > 0 && (offset < this.window.start || offset > this.window.end + gap)) {
      this.hangUp();
      this.window = new Window(offset);
    }
    this.wantedEnd = offset + length;
    if (offset < this.window.start) throw tooFarBack(this.name, offset, this.window.start);
    const out = new Uint8Array(length);
    let filled = this.window.copy(offset, out);
    while (filled < length) {
      const part = await this.pull(signal);
      if (!part) throw pastEnd(this.name, this.window.end, offset + length);
      filled = place(part, this.window.end, out, offset, filled);
      this.window.push(part, offset + length);
      if (this.window.end === this.byteLength) this.hangUp();
      this.onProgress?.(this.window.end, this.byteLength);
    }
    return out;
  }

  /** What the network gives next, at `window.end`; undefined at the end of a file whose size nobody had said. */
  private async pull(signal: AbortSignal | undefined): Promise<Uint8Array | undefined> {
    const { retries = 5, retryMs = 200 } = this.options;
    for (let failures = 0; ; failures++) {
      try {
        if (!this.body) await this.open(this.window.end, signal);
        const { done, value } = await this.pending(this.body!.read(), signal);
        if (!done) return value;
        if (this.window.end === this.askedEnd) {
          this.hangUp();
          continue;
        }
        if (this.byteLength === undefined) {
          this.byteLength = this.window.end;
          return undefined;
        }
        throw new Broken('the answer ended early');
      } catch (error) {
        this.hangUp();
        if (signal?.aborted) throw signal.reason;
        if (!(error instanceof Broken)) throw error;
        const { end } = this.window;
        const whole = this.byteLength ?? 'an unknown number';
        const what = `the connection broke at byte ${end} of ${whole}: ${reasonOf(error.cause)}`;
        if (!this.ranges) throw this.io(`${what}; the server does not do ranges: start again`);
        if (failures >= retries) throw this.io(`${what}; ${retries} more attempts failed: try again later`);
        await abortable(wait(retryMs * 2 ** failures), signal, () => {});
      }
    }
  }

  /** Requests the file from `at` on. Throws Broken where another attempt may help. */
  private async open(at: number, signal: AbortSignal | undefined): Promise<void> {
    signal?.throwIfAborted();
    this.connection = new AbortController();
    const end = this.options.bounded && this.ranges && this.answered ? this.wantedEnd : undefined;
    this.askedEnd = end;
    // Compressed, a body has another length than the file. Browsers do the same by themselves when they see a Range.
    const headers = {
      'accept-encoding': 'identity',
      ...this.options.headers,
      range: `bytes=${at}-${end === undefined ? '' : end - 1}`,
    };
    const request = (this.options.fetch ?? fetch)(this.url, { headers, signal: this.connection.signal });
    const response = await this.pending(request, signal);
    const length = Number(response.headers.get('content-length') ?? Number.NaN);
    const range = /^bytes (\d+)-\d+\/(\d+|\*)/.exec(response.headers.get('content-range') ?? '');
    let total: number | undefined;
    if (response.status === 206) {
      // Across origins the header is seen only where the server allows it.
      if (range && Number(range[1]) !== at) {
        throw this.io(`sent bytes from ${range[1]}, expected from ${at}; the server does ranges wrongly`);
      }
      total = range ? Number(range[2]) : end === undefined ? at + length : this.byteLength;
    } else if (response.status === 200) {
      if (at > 0) this.window = new Window(0); // ranges no more: everything once again
      if (!response.headers.get('content-encoding')) total = length;
    } else if (response.status === 416) {
      total = 0; // of a file that had more, it is a change
    } else {
      const text = `answered with status ${response.status} ${response.statusText}`.trimEnd();
      if (this.answered && (response.status >= 500 || response.status === 429)) throw new Broken(text);
      throw this.io(`${text}, expected 200 or 206${hint(response.status)}`);
    }
    this.recognise(response, Number.isSafeInteger(total) ? total : undefined);
    this.body = response.body?.getReader();
    if (!this.body && total !== 0) throw this.io('answered without a body');
  }

  /** The first answer is kept; every later one must be of the same file. */
  private recognise(response: Response, total: number | undefined): void {
    const version = response.headers.get('etag') ?? response.headers.get('last-modified') ?? undefined;
    if (this.answered && (version !== this.version || (total !== this.byteLength && this.byteLength !== undefined))) {
      this.hangUp();
      throw new ChangedError('io', `source: ${this.name} changed while it was being read; start again`);
    }
    this.answered = true;
    this.version = version;
    this.byteLength ??= total;
    this.ranges = response.status === 206 || /bytes/.test(response.headers.get('accept-ranges') ?? '');
  }

  private async pending<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
    try {
      return await abortable(promise, signal, () => this.hangUp());
    } catch (cause) {
      throw signal?.aborted ? signal.reason : new Broken(cause);
    }
  }

  private hangUp(): void {
    this.connection.abort();
    this.body?.cancel().catch(() => {}); // for a fetch of the caller's that knows no signal
    this.body = undefined;
  }

  private io(text: string): TernlightError {
    this.hangUp();
    return new TernlightError('io', `source: ${this.name} ${text}`);
  }
}

/** An address for messages and records: queries hold signatures and tokens. */
export function withoutSecrets(url: string): string {
  return url.replace(/[?#].*$/s, '').replace(/^(\w+:\/\/)[^/@]*@/, '$1');
}

function hint(status: number): string {
  if (status === 404 || status === 410) return '; check the address';
  if (status === 401 || status === 403) return '; it needs a permission, perhaps an access token in the headers';
  return '';
}

/** fetch says no more than "fetch failed"; what happened is in its cause. */
function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error)) return String(cause);
  return cause.cause instanceof Error ? `${cause.message} (${cause.cause.message})` : cause.message;
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
