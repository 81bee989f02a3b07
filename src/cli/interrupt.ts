// Ctrl-C as abort signals, one after another: the first Ctrl-C asks, the second does not.
import type { Io } from './io.ts';

/** What a shell calls a process that Ctrl-C ended: 128 + SIGINT. */
export const INTERRUPTED = 130;

export class Interrupt {
  #controller = new AbortController();
  readonly #io: Io;
  readonly #release: () => void;

  constructor(io: Io) {
    this.#io = io;
    this.#release = io.onInterrupt(() => this.trigger());
  }

  /** What the next Ctrl-C aborts. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** A new signal in place of the last: what Ctrl-C meant before is over. */
  next(): AbortSignal {
    this.#controller = new AbortController();
    return this.#controller.signal;
  }

  trigger(): void {
    if (this.signal.aborted) this.#io.exit(INTERRUPTED);
    this.#controller.abort();
  }

  release(): void {
    this.#release();
  }
}
