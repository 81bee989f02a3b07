// Ends a text before the first of some stop texts, however the text is cut into pieces. Knows no tokens.
import { TernlightError } from '../errors.ts';
import type { GenerateOptions } from './options.ts';
import { show } from './sampling-options.ts';

/** Each new text is compared with all of them. */
const maxStops = 256;
const maxStopChars = 1024;

/** `options` with further texts and tokens that end a generation. What the user gave is checked where it is used. */
export function withStops<T extends GenerateOptions>(
  options: T,
  { stop, stopTokens }: { stop: readonly string[]; stopTokens: readonly number[] },
): T {
  const { stop: texts = [], stopTokens: tokens = [] } = options;
  const isList = Array.isArray(tokens);
  return {
    ...options,
    stop: [...stop, ...(Array.isArray(texts) ? texts : [texts])],
    stopTokens: isList ? [...stopTokens, ...tokens] : tokens,
  };
}

export class StopMatcher {
  readonly #stops: readonly string[];
  /** The end of the text so far, as long as it may be the beginning of a stop text. */
  #held = '';
  #stopped = false;

  /** Throws "invalid-option". */
  constructor(stop: string | readonly string[] | undefined) {
    const stops: readonly unknown[] = stop === undefined ? [] : Array.isArray(stop) ? stop : [stop];
    for (const text of stops)
      if (typeof text !== 'string' || text === '')
        throw new TernlightError(
          'invalid-option',
          `options: stop has ${show(text)}, expected texts that are not empty`,
        );
    if (stops.length > maxStops)
      throw new TernlightError(
        'invalid-option',
        `options: stop has ${stops.length} texts, expected ${maxStops} at most`,
      );
    const longest = Math.max(0, ...(stops as readonly string[]).map((text) => text.length));
    if (longest > maxStopChars)
      throw new TernlightError(
        'invalid-option',
        `options: stop has a text of ${longest} characters, expected ${maxStopChars} at most`,
      );
    this.#stops = stops as readonly string[];
  }

  /** Whether a stop text was met; nothing comes after it. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the next piece; gives the text that no stop text can take back any more. */
  push(piece: string): string {
    if (this.#stopped) return '';
    const text = this.#held + piece;
    // The one that is complete first, the longest of these: the answer must not depend on how the text is cut.
    let cut = -1;
    let end = Infinity;
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0 || at + stop.length > end || (at + stop.length === end && at > cut)) continue;
      cut = at;
      end = at + stop.length;
    }
    this.#stopped = cut >= 0;
    const shown = this.#stopped ? cut : text.length - this.#beginning(text);
    this.#held = this.#stopped ? '' : text.slice(shown);
    return text.slice(0, shown);
  }

  /** What is held back at the end of the text. */
  end(): string {
    const rest = this.#held;
    this.#held = '';
    return rest;
  }

  /** Length of the longest end of `text` that is the beginning of a stop text. */
  #beginning(text: string): number {
    let longest = 0;
    for (const stop of this.#stops)
      for (let n = Math.min(stop.length - 1, text.length); n > longest; n--)
        if (stop.startsWith(text.slice(text.length - n))) longest = n;
    return longest;
  }
}
