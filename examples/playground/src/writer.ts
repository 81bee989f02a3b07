// The text that is being written: one at a time, whichever screen asked for it.
import { type Generation, type Summary, TernlightError } from 'ternlight';
import { announce } from './announcements.ts';
import { rate } from './figures.ts';
import { Topic } from './topic.ts';

const REASONS: Record<Summary['stop'], string> = {
  eos: 'came to its end',
  stop: 'came to its end',
  length: 'stopped at the limit',
  aborted: 'was stopped',
};

export class Writer {
  /** Begins or ends. */
  readonly changed = new Topic();
  /** Tokens per second so far, and the summary at the end. */
  readonly rates = new Topic<{ answer?: number; summary?: Summary }>();
  #controller: AbortController | undefined;
  #done: Promise<unknown> = Promise.resolve();

  get busy(): boolean {
    return this.#controller !== undefined;
  }

  stop(): void {
    this.#controller?.abort();
  }

  /** Stops, and waits until the model is free. */
  async finish(): Promise<void> {
    this.stop();
    await this.#done.catch(() => {});
  }

  /**
   * Runs a generation; `onText` gets the text so far, at most once a frame, and the whole at the end.
   * Throws what the generation throws, 'invalid-option' while another runs.
   */
  write(start: (signal: AbortSignal) => Generation, onText: (text: string) => void): Promise<Summary> {
    if (this.#controller)
      return Promise.reject(new TernlightError('invalid-option', 'playground: a text is being written; stop it first'));
    const controller = new AbortController();
    this.#controller = controller;
    this.changed.tell();
    const done = this.#run(() => start(controller.signal), onText).finally(() => {
      this.#controller = undefined;
      this.changed.tell();
    });
    this.#done = done;
    return done;
  }

  async #run(start: () => Generation, onText: (text: string) => void): Promise<Summary> {
    const generation = start();
    let text = '';
    let tokens = 0;
    let firstMs = 0;
    let frame: number | undefined;
    const paint = () => {
      frame = undefined;
      onText(text);
      if (tokens > 8) this.rates.tell({ answer: (1000 * (tokens - 1)) / (performance.now() - firstMs) });
    };
    try {
      for await (const piece of generation) {
        if (tokens++ === 0) firstMs = performance.now();
        text += piece.text;
        frame ??= requestAnimationFrame(paint);
      }
    } finally {
      if (frame !== undefined) cancelAnimationFrame(frame);
    }
    const summary = await generation.summary();
    onText(summary.text);
    this.rates.tell({ summary });
    announce(`The text ${REASONS[summary.stop]}: ${summary.text}`);
    return summary;
  }
}

/** "84 tokens, 612 tok/s, seed 7". */
export function figuresOf({ ids, timings, seed, stop }: Summary): string {
  const speed = ids.length > 1 ? `, ${rate(timings.decodeTokensPerSecond)} tok/s` : '';
  return `${ids.length} tokens${speed}, seed ${seed}${stop === 'length' ? ', at the limit' : ''}`;
}
