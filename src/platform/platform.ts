// What the engine needs of its surroundings. node.ts and web.ts implement it; nothing else may touch node:* or
// browser globals.
import type { ByteSource, FileSet } from '../formats/types.ts';
import type { Backend } from '../store/backend.ts';

/** A running worker: a thread with messages. */
export interface WorkerHandle {
  /** What it was started from: "text", "a blob", an address. */
  readonly from: string;
  post(message: unknown, transfer?: readonly Transferable[]): void;
  onMessage(listener: (message: unknown) => void): void;
  /** The worker threw, or is gone without having been terminated. Called at most once. */
  onError(listener: (error: Error) => void): void;
  /** From now on the worker does not keep the process alive. */
  background(): void;
  terminate(): void;
}

/** What a worker does: the engine of a page, or a thread of a pool. */
export type Role = 'engine' | 'pool';

export interface Platform {
  /** "Node 24.1.0", "Chromium 156": for reports. */
  readonly runtime: string;
  /** Where hf: names lead, if not to Hugging Face: a mirror. TERNLIGHT_HUB in the environment. */
  readonly hub?: string;
  /** Processors that this process may use. */
  readonly cores: number;
  /** No more memory than this has the device. Undefined where it does not tell. */
  readonly memoryBytes?: number;
  /** Turns on V8's pairing of 128-bit operations into 256-bit ones for what is compiled from now on. */
  revectorize?(): void;
  /** Whether this thread may block (a page's own may not). */
  readonly mayBlock: boolean;
  /** What relative addresses are relative to: in pages. */
  readonly base?: string;
  /** Where workers can be started from where text is forbidden: the file ternlight-worker.js. */
  readonly workerAddress?: string;
  /**
   * Starts a worker for this role, whose program is `text` (classic script, no imports) where that is allowed. Throws
   * NoWorkerError where none can be started.
   */
  spawn(role: Role, text: string): Promise<WorkerHandle>;
  /**
   * What is at a path: a file with those beside it, or a folder's files. Undefined where there is no file system.
   */
  openPath?(path: string): Promise<{ source?: ByteSource; files: FileSet }>;
  /** Whether Web Locks are there: in pages. */
  hasLocks?(): Promise<boolean>;
  /** Where downloads are kept. Throws 'storage' where nothing can be. */
  readonly openStore: () => Promise<Backend>;
}
