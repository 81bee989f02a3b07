// A generation that runs in the engine's worker.
import { TernlightError } from '../errors.ts';
import type { Generation, Piece, Summary } from '../generate/options.ts';
import type { Connection } from './connection.ts';
import type { Finished } from './protocol.ts';

export class RemoteGeneration implements Generation {
  readonly #connection: Connection;
  readonly #request: object;
  /** Abort is passed on; the worker then ends the generation with a summary. */
  readonly #signal: AbortSignal | undefined;
  readonly #onIds: ((ids: readonly number[]) => void) | undefined;
  #started = false;
  #summary: Summary | undefined;

  constructor(connection: Connection, request: object, signal?: AbortSignal, onIds?: (ids: readonly number[]) => void) {
    this.#connection = connection;
    this.#request = request;
    this.#signal = signal;
    this.#onIds = onIds;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece> {
    if (this.#started)
      throw new TernlightError('invalid-option', 'generation: it can be iterated once; call generate() again');
    this.#started = true;
    const { summary, ids } = yield* this.#connection.stream<Piece, Finished>(this.#request as never, this.#signal);
    this.#summary = summary;
    if (ids) this.#onIds?.(ids);
  }

  async summary(): Promise<Summary> {
    if (!this.#started) for await (const _ of this);
    if (!this.#summary)
      throw new TernlightError('invalid-option', 'generation: it was left before its end and has no summary');
    return this.#summary;
  }
}
