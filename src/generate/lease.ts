// A generation that takes its session when it is first asked for anything, and gives it back at its end.
import { TernlightError } from '../errors.ts';
import type { Generation, Piece, Summary } from './options.ts';

export interface Lease {
  readonly generation: Generation;
  readonly release: () => void;
}

export class LeasedGeneration implements Generation {
  readonly #open: () => Lease;
  #lease: Lease | undefined;
  #released = false;

  constructor(open: () => Lease) {
    this.#open = open;
  }

  async *[Symbol.asyncIterator](): AsyncGenerator<Piece> {
    if (this.#lease)
      throw new TernlightError('invalid-option', 'generation: it can be iterated once; call generate() again');
    this.#lease = this.#open();
    try {
      yield* this.#lease.generation;
    } finally {
      this.#release();
    }
  }

  async summary(): Promise<Summary> {
    this.#lease ??= this.#open();
    try {
      return await this.#lease.generation.summary();
    } finally {
      this.#release();
    }
  }

  #release(): void {
    if (this.#released) return;
    this.#released = true;
    this.#lease?.release();
  }
}
