// A worker of the pool as who asks it sees it: every message is answered by one.
import type { WorkerHandle } from '../platform/platform.ts';
import type { PoolMessage } from './task.ts';

export class PoolThread {
  readonly #worker: WorkerHandle;
  #asked: { resolve(answer: boolean): void; reject(error: Error): void } | undefined;
  #failure: Error | undefined;

  constructor(worker: WorkerHandle) {
    this.#worker = worker;
    worker.onMessage((answer) => {
      const asked = this.#asked;
      this.#asked = undefined;
      asked?.resolve(answer as boolean);
    });
    worker.onError((error) => {
      this.#failure = error;
      this.#asked?.reject(error);
    });
  }

  /** What it died of. */
  get failure(): Error | undefined {
    return this.#failure;
  }

  /** Waits for an answer. */
  get isBusy(): boolean {
    return this.#asked !== undefined;
  }

  ask(message: PoolMessage): Promise<boolean> {
    if (this.#failure) return Promise.reject(this.#failure);
    return new Promise((resolve, reject) => {
      this.#asked = { resolve, reject };
      this.#worker.post(message);
    });
  }

  background(): void {
    this.#worker.background();
  }

  terminate(): void {
    this.#worker.terminate();
  }
}
