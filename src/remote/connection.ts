// Calls over messages: ids, replies, streams, cancelling. Knows nothing of models.
import { TernlightError } from '../errors.ts';
import type { ByteSource } from '../formats/types.ts';
import type { WorkerHandle } from '../platform/platform.ts';
import type { PlainError, Reply, Request } from './protocol.ts';

type Body<T = Request> = T extends { id: number } ? Omit<T, 'id'> : never;

export interface CallOptions {
  signal?: AbortSignal;
  onProgress?: (progress: never) => void;
  onItem?: (item: never) => void;
  /** Answers the worker's reads. */
  proxy?: ByteSource;
}

interface Pending extends CallOptions {
  resolve: (value: never) => void;
  reject: (error: Error) => void;
}

const SILENT_MS = 3000;
const SILENT_TIMES = 5;

export class Connection {
  readonly #worker: WorkerHandle;
  readonly #pending = new Map<number, Pending>();
  #nextId = 1;
  #failure: Error | undefined;
  /** The worker's thread did not turn any more. */
  stoodStill = false;

  constructor(worker: WorkerHandle) {
    this.#worker = worker;
    worker.onMessage((message) => this.#receive(message as Reply));
    worker.onError((error) => this.#died(error));
  }

  get closed(): boolean {
    return this.#failure !== undefined;
  }

  async call<T>(request: Body, options: CallOptions = {}): Promise<T> {
    return (await this.open<T>(request, options)).value;
  }

  /** As call, with the id under which the worker keeps what it made. */
  open<T>(request: Body, options: CallOptions = {}): Promise<{ id: number; value: T }> {
    if (this.#failure) return Promise.reject(this.#failure);
    if (options.signal?.aborted) return Promise.reject(options.signal.reason);
    const id = this.#nextId++;
    const cancel = () => this.cancel(id);
    return new Promise<{ id: number; value: T }>((resolve, reject) => {
      this.#pending.set(id, { ...options, resolve: (value: never) => resolve({ id, value }), reject });
      options.signal?.addEventListener('abort', cancel);
      this.#worker.post({ ...request, id });
    }).finally(() => {
      this.#pending.delete(id);
      options.signal?.removeEventListener('abort', cancel);
    });
  }

  /** The items that a call sends before its value. Leaving the loop cancels the call. */
  async *stream<T, R = void>(request: Body, signal?: AbortSignal): AsyncGenerator<T, R> {
    const items: T[] = [];
    let wake = () => {};
    let ended = false;
    const id = this.#nextId; // the id that open() takes: nothing runs in between
    const result = this.call<R>(request, {
      signal,
      onItem: ((item: T) => {
        items.push(item);
        wake();
      }) as never,
    }).finally(() => {
      ended = true;
      wake();
    });
    result.catch(() => {}); // reported below
    try {
      while (true) {
        while (items.length > 0) yield items.shift()!;
        if (ended) return await result;
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    } finally {
      if (!ended) {
        // Until its end has come, the session it runs in is busy.
        this.cancel(id);
        await result.catch(() => {});
      }
    }
  }

  /**
   * As call, and asks meanwhile whether the worker's thread still turns: Firefox's may stand still for ever in starting
   * another (docs/WORKERS.md). Not for computations, which may take a slow device long.
   */
  async watchedCall<T>(request: Body, options: CallOptions): Promise<T> {
    let over = false;
    const watch = async () => {
      while (!over) {
        let silent = 0;
        const timer = setInterval(() => {
          // Several, so that a device that slept for a while is asked again.
          if (++silent < SILENT_TIMES) return;
          this.stoodStill = true;
          this.#died(new Error(`no answer for ${(SILENT_TIMES * SILENT_MS) / 1000} s`));
        }, SILENT_MS);
        await this.call({ method: 'ping' }).catch(() => {}); // told by the call itself
        clearInterval(timer);
        if (this.#failure) return;
        await new Promise((resolve) => setTimeout(resolve, SILENT_MS));
      }
    };
    void watch();
    return this.call<T>(request, options).finally(() => {
      over = true;
    });
  }

  cancel(id: number): void {
    if (!this.#failure) this.#worker.post({ id, method: 'cancel' } satisfies Request);
  }

  close(): void {
    this.#worker.terminate();
    this.#fail(new TernlightError('disposed', 'model: it was disposed'));
  }

  #receive(reply: Reply): void {
    const pending = this.#pending.get(reply.id);
    if (!pending) return;
    if (reply.kind === 'value') pending.resolve(reply.value as never);
    else if (reply.kind === 'item') pending.onItem?.(reply.value as never);
    else if (reply.kind === 'progress') pending.onProgress?.(reply.progress as never);
    else if (reply.kind === 'read') void this.#read(reply, pending.proxy);
    else pending.reject(pending.signal?.aborted ? pending.signal.reason : revived(reply.error));
  }

  async #read(
    { read, offsetBytes, lengthBytes }: Extract<Reply, { kind: 'read' }>,
    proxy: ByteSource | undefined,
  ): Promise<void> {
    try {
      if (!proxy) throw new TernlightError('internal', 'engine: a read of a source that is not here');
      const bytes = await proxy.read(offsetBytes, lengthBytes);
      this.#worker.post({ id: read, method: 'bytes', bytes } satisfies Request);
    } catch (error) {
      const plain = {
        code: error instanceof TernlightError ? error.code : undefined,
        message: String((error as Error).message),
      };
      this.#worker.post({ id: read, method: 'bytes', error: plain } satisfies Request);
    }
  }

  #died(cause: Error): void {
    this.#worker.terminate(); // what it holds is memory that the next load needs
    const what = `engine: its worker died (${cause.message}); what it held is lost, load the model again`;
    const cure = 'with a smaller contextLength or kv "i8" if memory was short, with threads: 1 if it happens again';
    this.#fail(new TernlightError('environment', `${what}, ${cure}`, { cause }));
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    for (const { reject } of this.#pending.values()) reject(error);
    this.#pending.clear();
  }
}

function revived({ code, message }: PlainError): Error {
  return code === undefined ? new Error(message) : new TernlightError(code, message);
}
