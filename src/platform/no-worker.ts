import { TernlightError } from '../errors.ts';

/** No worker can be started here at all, as opposed to one that failed: there are ways to do without. */
export class NoWorkerError extends TernlightError {
  constructor(message: string) {
    super('environment', `worker: ${message}`);
  }
}
