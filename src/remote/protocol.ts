// Messages between a page and the worker in which its engine runs.
import type { ErrorCode } from '../errors.ts';
import type { ModelInfo } from '../generate/model.ts';
import type { Summary } from '../generate/options.ts';
import type { LoadOptions, LoadProgress } from '../understand.ts';

/** What can be posted of a source; a "proxy" is read from the page, piece by piece. */
export type RemoteSource =
  | string
  | Blob
  | ArrayBuffer
  | Uint8Array
  | { files: readonly File[] }
  | { proxy: { name: string; byteLength: number | undefined; sequential?: boolean } };

export type PlainLoadOptions = Omit<LoadOptions, 'signal' | 'onProgress' | 'worker'> & { worker?: string };

/** Calls of the page. Every call has an id; replies carry it. `session` is the id of the call that opened it. */
export type Request =
  | { id: number; method: 'load'; source: RemoteSource; options: PlainLoadOptions }
  | { id: number; method: 'generate' | 'chat'; session?: number; input: unknown; options: object }
  | { id: number; method: 'tokenize' | 'detokenize'; input: unknown; options?: object }
  | { id: number; method: 'session' }
  | { id: number; method: 'feed'; session: number; input: readonly number[]; top: number | undefined }
  | { id: number; method: 'truncate'; session: number; input: number }
  | { id: number; method: 'logits'; input: readonly number[]; from?: number }
  | { id: number; method: 'perplexity'; input: string; contextLength?: number }
  | { id: number; method: 'close'; session: number }
  | { id: number; method: 'dispose' }
  /** Answered when the worker's thread turns. */
  | { id: number; method: 'ping' }
  /** Ends the call with this id: an abort, a left loop. */
  | { id: number; method: 'cancel' }
  /** The page's answer to a read of a proxied source. */
  | { id: number; method: 'bytes'; bytes?: Uint8Array; error?: PlainError };

export interface PlainError {
  code: ErrorCode | undefined;
  message: string;
}

export type Reply =
  | { id: number; kind: 'value'; value: unknown }
  | { id: number; kind: 'item'; value: unknown }
  | { id: number; kind: 'error'; error: PlainError }
  | { id: number; kind: 'progress'; progress: LoadProgress | [done: number, total: number] }
  /** The worker needs bytes of the proxied source; the answer carries `read` as its id. */
  | { id: number; kind: 'read'; read: number; offsetBytes: number; lengthBytes: number };

export interface Loaded {
  info: ModelInfo;
}

/** The end of a generation: its summary and, in a session, the tokens that its cache holds. */
export interface Finished {
  summary: Summary;
  ids?: readonly number[];
}
