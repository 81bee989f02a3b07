// The engine's side, in a worker: turns requests into calls of a LocalModel. Built into one text by scripts/build.mjs.
import { wasmBase64 } from '#wasm';
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

const scope = globalThis as unknown as Scope;
const sessions = new Map<number, Session>();
const running = new Map<number, AbortController>();
const reads = new Map<number, { resolve: (bytes: Uint8Array) => void; reject: (error: Error) => void }>();
let model: Model | undefined;
let nextRead = 1;

function plain(error: unknown): PlainError {
  if (error instanceof TernlightError) return { code: error.code, message: error.message };
  return { code: undefined, message: error instanceof Error ? error.message : String(error) };
}

/** A source that stays in the page: each read is a question to it. */
function proxied(id: number, source: Pick<ByteSource, 'name' | 'byteLength' | 'sequential'>): ByteSource {
  return {
    ...source,
    read: (offsetBytes, lengthBytes) =>
      new Promise((resolve, reject) => {
        // Reads are numbered apart from calls; the page finds the source by the call's id.
        const read = nextRead++;
        reads.set(read, { resolve, reject });
        scope.postMessage({ id, kind: 'read', offsetBytes, lengthBytes, read });
      }),
    close: async () => {},
  };
}

function sourceOf(id: number, source: RemoteSource): ModelSource {
  if (typeof source === 'object' && 'proxy' in source) return proxied(id, source.proxy);
  return typeof source === 'object' && 'files' in source ? source.files : source;
}

function loaded(): Model {
  if (!model) throw new TernlightError('internal', 'worker: no model is loaded');
  return model;
}

function session(id: number): Session {
  const found = sessions.get(id);
  if (!found) throw new TernlightError('disposed', 'session: it was disposed');
  return found;
}

async function stream(id: number, generation: Generation, owner: Session | undefined): Promise<void> {
  for await (const piece of generation) scope.postMessage({ id, kind: 'item', value: piece });
  const summary = await generation.summary();
  scope.postMessage({ id, kind: 'value', value: { summary, ids: owner && [...owner.ids] } });
}

async function answer(request: Request, signal: AbortSignal): Promise<unknown> {
  const { id } = request;
  switch (request.method) {
    case 'load': {
      Object.assign(wasmBase64 as Record<string, string>, request.wasm);
      const onProgress = (progress: LoadProgress) => scope.postMessage({ id, kind: 'progress', progress });
      model = await loadModel(sourceOf(id, request.source), { ...request.options, signal, onProgress }, webPlatform());
      return { info: model.info };
    }
    case 'generate':
    case 'chat': {
      const owner = request.session === undefined ? undefined : session(request.session);
      const on = owner ?? loaded();
      const options = { ...request.options, signal };
      const generation =
        request.method === 'chat'
          ? on.chat(request.input as ChatMessage[], options)
          : on.generate(request.input as string, options);
      return stream(id, generation, owner);
    }
    case 'tokenize':
      return loaded().tokenize(request.input as string, request.options);
    case 'detokenize':
      return loaded().detokenize(request.input as number[], request.options);
    case 'session': {
      const opened = await loaded().session();
      sessions.set(id, opened);
      return { contextLength: opened.contextLength };
    }
    case 'feed': {
      const logits = await session(request.session).feed(request.input, signal);
      return { logits: logits.slice(), ids: [...session(request.session).ids] };
    }
    case 'truncate':
      await session(request.session).truncate(request.input);
      return { ids: [...session(request.session).ids] };
    case 'logits':
      for await (const row of loaded().logits(request.input, { from: request.from, signal }))
        scope.postMessage({ id, kind: 'item', value: row });
      return undefined;
    case 'perplexity': {
      const onProgress = (...progress: [number, number]) => scope.postMessage({ id, kind: 'progress', progress });
      return loaded().perplexity(request.input, { contextLength: request.contextLength, signal, onProgress });
    }
    case 'close': {
      const closing = sessions.get(request.session);
      sessions.delete(request.session);
      return closing?.dispose();
    }
    case 'dispose':
      return model?.dispose();
    default:
      throw new TernlightError('internal', `worker: unknown request ${(request as Request).method}`);
  }
}

scope.onmessage = async ({ data }) => {
  if (data.method === 'cancel') {
    running.get(data.id)?.abort();
    return;
  }
  if (data.method === 'bytes') {
    const waiting = reads.get(data.id);
    reads.delete(data.id);
    if (data.bytes) waiting?.resolve(data.bytes);
    else
      waiting?.reject(new TernlightError(data.error?.code ?? 'io', data.error?.message ?? 'source: the read failed'));
    return;
  }
  const controller = new AbortController();
  running.set(data.id, controller);
  try {
    const value = await answer(data, controller.signal);
    if (data.method !== 'generate' && data.method !== 'chat') scope.postMessage({ id: data.id, kind: 'value', value });
  } catch (error) {
    scope.postMessage({ id: data.id, kind: 'error', error: plain(error) });
  } finally {
    running.delete(data.id);
  }
};
