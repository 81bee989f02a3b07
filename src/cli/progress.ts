// A line on the terminal that says how far something is; silent where standard error is no terminal.
import type { Output } from './io.ts';

const INTERVAL_MS = 100;
const BAR = 24;

export class Progress {
  #shownMs = -Infinity;
  #visible = false;
  readonly #stream: Output;

  constructor(stream: Output) {
    this.#stream = stream;
  }

  show(label: string, done: number, total: number, unit = ''): void {
    const now = performance.now();
    if (!this.#stream.isTTY || now - this.#shownMs < INTERVAL_MS) return;
    this.#shownMs = now;
    this.#visible = true;
    const share = total > 0 ? Math.min(1, done / total) : 0;
    const bar = '#'.repeat(Math.round(share * BAR)).padEnd(BAR, '.');
    this.#stream.write(`\r\x1b[K${label} [${bar}] ${Math.floor(share * 100)}%${unit}`);
  }

  clear(): void {
    if (this.#visible) this.#stream.write('\r\x1b[K');
    this.#visible = false;
  }
}
