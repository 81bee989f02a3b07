// The engine's side, in a worker: turns requests into calls of a LocalModel.
import { TernlightError } from '../errors.ts';
import type { ByteSource } from '../formats/types.ts';
import type { Model, Session } from '../generate/model.ts';
import type { ChatMessage, Generation } from '../generate/options.ts';
import { loadModel } from '../load.ts';
import type { ModelSource } from '../open.ts';
import { webPlatform } from '../platform/web.ts';
import type { LoadProgress } from '../understand.ts';
import type { PlainError, RemoteSource, Reply, Request } from './protocol.ts';

interface Scope {
  postMessage(message: Reply, transfer?: Transferable[]): void;
  onmessage: (event: { data: Request }) => void;
  close(): void;
}

/** Answers the page that `scope`, a worker's global object, is connected to. */
export function serve(scope: Scope): void {
  const server = new Server((message) => scope.postMessage(message));
  scope.onmessage = ({ data }) => void server.receive(data);
}

function plain(error: unknown): PlainError {
  if (error instanceof TernlightError) return { code: error.code, message: error.message };
  return { code: undefined, message: error instanceof Error ? error.message : String(error) };
}

class Server {
  readonly #post: (message: Reply) => void;
  readonly #sessions = new Map<number, Session>();
  readonly #running = new Map<number, AbortController>();
  readonly #reads = new Map<number, { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void }>();
  #model: Model | undefined;
  #nextRead = 1;

  constructor(post: (message: Reply) => void) {
    this.#post = post;
  }

  async receive(data: Request): Promise<void> {
    if (data.method === 'cancel') {
      this.#running.get(data.id)?.abort();
      return;
    }
    if (data.method === 'bytes') {
      const waiting = this.#reads.get(data.id);
      this.#reads.delete(data.id);
      if (data.bytes) waiting?.resolve(data.bytes);
      else
        waiting?.reject(new TernlightError(data.error?.code ?? 'io', data.error?.message ?? 'source: the read failed'));
      return;
    }
    const controller = new AbortController();
    this.#running.set(data.id, controller);
    try {
      const value = await this.#answer(data, controller.signal);
      if (data.method !== 'generate' && data.method !== 'chat') this.#post({ id: data.id, kind: 'value', value });
    } catch (error) {
      this.#post({ id: data.id, kind: 'error', error: plain(error) });
    } finally {
      this.#running.delete(data.id);
    }
  }

  /** A source that stays in the page: each read is a question to it. */
  #proxied(id: number, source: Pick<ByteSource, 'name' | 'byteLength' | 'sequential'>): ByteSource {
    return {
      ...source,
      read: (offsetBytes, lengthBytes) =>
        new Promise((resolve, reject) => {
          // Reads are numbered apart from calls; the page finds the source by the call's id.
          const read = this.#nextRead++;
          this.#reads.set(read, { resolve, reject });
          this.#post({ id, kind: 'read', offsetBytes, lengthBytes, read });
        }),
      close: async () => {},
    };
  }

  #sourceOf(id: number, source: RemoteSource): ModelSource {
    if (typeof source === 'object' && 'proxy' in source) return this.#proxied(id, source.proxy);
    return typeof source === 'object' && 'files' in source ? source.files : source;
  }

  #loaded(): Model {
    if (!this.#model) throw new TernlightError('internal', 'worker: no model is loaded');
    return this.#model;
  }

  #session(id: number): Session {
    const found = this.#sessions.get(id);
    if (!found) throw new TernlightError('disposed', 'session: it was disposed');
    return found;
  }

  async #stream(id: number, generation: Generation, owner: Session | undefined): Promise<void> {
    for await (const piece of generation) this.#post({ id, kind: 'item', value: piece });
    const summary = await generation.summary();
    this.#post({ id, kind: 'value', value: { summary, ids: owner && [...owner.ids] } });
  }

  async #answer(request: Request, signal: AbortSignal): Promise<unknown> {
    const { id } = request;
    switch (request.method) {
      case 'load': {
        const onProgress = (progress: LoadProgress) => this.#post({ id, kind: 'progress', progress });
        this.#model = await loadModel(
          this.#sourceOf(id, request.source),
          { ...request.options, signal, onProgress },
          webPlatform(request.options.worker),
        );
        return { info: this.#model.info };
      }
      case 'generate':
      case 'chat': {
        const owner = request.session === undefined ? undefined : this.#session(request.session);
        const on = owner ?? this.#loaded();
        const options = { ...request.options, signal };
        const generation =
          request.method === 'chat'
            ? on.chat(request.input as ChatMessage[], options)
            : on.generate(request.input as string, options);
        return this.#stream(id, generation, owner);
      }
      case 'tokenize':
        return this.#loaded().tokenize(request.input as string, request.options);
      case 'detokenize':
        return this.#loaded().detokenize(request.input as number[], request.options);
      case 'session': {
        const opened = await this.#loaded().session();
        this.#sessions.set(id, opened);
        return { contextLength: opened.contextLength };
      }
      case 'feed': {
        const logits = await this.#session(request.session).feed(request.input, signal, request.top);
        return { logits: logits.slice(), ids: [...this.#session(request.session).ids] };
      }
      case 'truncate':
        await this.#session(request.session).truncate(request.input);
        return { ids: [...this.#session(request.session).ids] };
      case 'logits':
        for await (const row of this.#loaded().logits(request.input, { from: request.from, signal }))
          this.#post({ id, kind: 'item', value: row });
        return undefined;
      case 'perplexity': {
        const onProgress = (...progress: [number, number]) => this.#post({ id, kind: 'progress', progress });
        return this.#loaded().perplexity(request.input, { contextLength: request.contextLength, signal, onProgress });
      }
      case 'close': {
        const closing = this.#sessions.get(request.session);
        this.#sessions.delete(request.session);
        return closing?.dispose();
      }
      case 'ping':
        return undefined;
      case 'dispose':
        return this.#model?.dispose();
      default:
        throw new TernlightError('internal', `worker: unknown request ${(request as Request).method}`);
    }
  }
}
