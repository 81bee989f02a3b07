// The page's side: a Model whose engine runs in a worker, so that the page's own thread stays free.
import type { ByteSource } from '../formats/types.ts';
import type { Model, ModelInfo, PerplexityOptions, Session } from '../generate/model.ts';
import type { ChatMessage, ChatOptions, GenerateOptions, Generation } from '../generate/options.ts';
import type { Perplexity } from '../generate/perplexity.ts';
import type { ModelSource } from '../open.ts';
import { NoWorkerError } from '../platform/no-worker.ts';
import type { Platform, WorkerHandle } from '../platform/platform.ts';
import type { EncodeOptions } from '../tokenizer/types.ts';
import type { LoadOptions } from '../understand.ts';
import { Connection } from './connection.ts';
import { RemoteGeneration } from './generation.ts';
import { loadHere } from './here.ts';
import type { Loaded, RemoteSource } from './protocol.ts';
import { absolute, remoteSource } from './source.ts';

/**
 * In a worker; where none can be started, here.
 * @param program text of the worker: it calls serve() of server.ts
 */
export async function loadRemote(
  source: ModelSource,
  options: LoadOptions,
  platform: Platform,
  program: string,
): Promise<Model> {
  const { signal, onProgress, worker: _, ...plain } = options;
  signal?.throwIfAborted();
  const { base, workerAddress } = platform;
  let worker: WorkerHandle;
  try {
    worker = await platform.spawn('engine', program);
  } catch (error) {
    if (error instanceof NoWorkerError) return loadHere(source, options, platform, error);
    throw error;
  }
  const connection = new Connection(worker);
  let proxy: ByteSource | undefined;
  try {
    const sent = await remoteSource(source, base);
    proxy = sent.proxy;
    const load = {
      method: 'load' as const,
      source: sent.message satisfies RemoteSource,
      options: { ...plain, worker: workerAddress && absolute(workerAddress, base) },
    };
    const { info } = await connection.watchedCall<Loaded>(load, { signal, proxy, onProgress: onProgress as never });
    return new RemoteModel(connection, info);
  } catch (error) {
    connection.close();
    // What is read here, a stream above all, cannot be read again.
    if (!connection.stoodStill || options.threads === 1 || proxy) throw error;
    const alone = await loadRemote(source, { ...options, threads: 1 }, platform, program);
    alone.info.threadsNote = `one thread: with more, ${(error as Error).message}`;
    return alone;
  } finally {
    await proxy?.close();
  }
}

/** Options without what cannot be posted. */
function posted<T extends { signal?: AbortSignal }>(options: T | undefined): Omit<T, 'signal'> {
  const { signal: _, ...rest } = options ?? ({} as T);
  return rest;
}

class RemoteModel implements Model {
  readonly info: ModelInfo;
  readonly #connection: Connection;

  constructor(connection: Connection, info: ModelInfo) {
    this.#connection = connection;
    this.info = info;
  }

  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation {
    return new RemoteGeneration(
      this.#connection,
      { method: 'generate', input: prompt, options: posted(options) },
      options?.signal,
    );
  }

  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation {
    return new RemoteGeneration(
      this.#connection,
      { method: 'chat', input: messages, options: posted(options) },
      options?.signal,
    );
  }

  tokenize(text: string, options?: EncodeOptions): Promise<number[]> {
    return this.#connection.call({ method: 'tokenize', input: text, options });
  }

  detokenize(ids: readonly number[], options?: { special?: boolean }): Promise<string> {
    return this.#connection.call({ method: 'detokenize', input: ids, options });
  }

  async session(): Promise<Session> {
    const { id, value } = await this.#connection.open<{ contextLength: number }>({ method: 'session' });
    return new RemoteSession(this.#connection, id, value.contextLength);
  }

  logits(ids: readonly number[], options: { from?: number; signal?: AbortSignal } = {}): AsyncIterable<Float32Array> {
    return this.#connection.stream<Float32Array>({ method: 'logits', input: ids, from: options.from }, options.signal);
  }

  perplexity(text: string, options: PerplexityOptions = {}): Promise<Perplexity> {
    const { signal, onProgress, contextLength } = options;
    const report = onProgress && (([done, total]: [number, number]) => onProgress(done, total));
    return this.#connection.call(
      { method: 'perplexity', input: text, contextLength },
      { signal, onProgress: report as never },
    );
  }

  async dispose(): Promise<void> {
    if (this.#connection.closed) return;
    await this.#connection.call({ method: 'dispose' });
    this.#connection.close();
  }
}

class RemoteSession implements Session {
  readonly contextLength: number;
  readonly #connection: Connection;
  readonly #id: number;
  #ids: readonly number[] = [];

  constructor(connection: Connection, id: number, contextLength: number) {
    this.#connection = connection;
    this.#id = id;
    this.contextLength = contextLength;
  }

  get ids(): readonly number[] {
    return this.#ids;
  }

  generate(prompt: string | readonly number[], options?: GenerateOptions): Generation {
    return this.#generation('generate', prompt, options);
  }

  chat(messages: readonly ChatMessage[], options?: ChatOptions): Generation {
    return this.#generation('chat', messages, options);
  }

  async feed(ids: readonly number[], signal?: AbortSignal, top?: number): Promise<Float32Array> {
    const request = { method: 'feed' as const, session: this.#id, input: ids, top };
    const { logits, ids: held } = await this.#connection.call<{ logits: Float32Array; ids: number[] }>(request, {
      signal,
    });
    this.#ids = held;
    return logits;
  }

  async truncate(lengthTokens: number): Promise<void> {
    const request = { method: 'truncate' as const, session: this.#id, input: lengthTokens };
    this.#ids = (await this.#connection.call<{ ids: number[] }>(request)).ids;
  }

  async dispose(): Promise<void> {
    if (!this.#connection.closed) await this.#connection.call({ method: 'close', session: this.#id });
  }

  #generation(method: 'generate' | 'chat', input: unknown, options: GenerateOptions | undefined): Generation {
    const request = { method, session: this.#id, input, options: posted(options) };
    return new RemoteGeneration(this.#connection, request, options?.signal, (ids) => {
      this.#ids = ids;
    });
  }
}
