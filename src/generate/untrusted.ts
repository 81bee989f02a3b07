// Keeps texts of strangers apart from a template's own in what the template renders, so that a control token written
// in a message stays text. Knows no template language: it marks texts before and reads the marks after.
import type { Tokenizer } from '../tokenizer/types.ts';

/** A stretch of a prompt: control tokens in it are parsed, or are text like all other. */
export interface Segment {
  readonly text: string;
  readonly special: boolean;
}

/** The texts of a vocabulary's control tokens, looked up by their first characters. */
export class ControlTexts {
  readonly #byFirst = new Map<string, string[]>();

  constructor(tokenizer: Tokenizer) {
    for (let id = 0; id < tokenizer.vocabSize; id++) {
      const text = tokenizer.isControl(id) ? tokenizer.token(id) : undefined;
      if (!text) continue;
      const list = this.#byFirst.get(text[0]!);
      if (list) list.push(text);
      else this.#byFirst.set(text[0]!, [text]);
    }
    for (const list of this.#byFirst.values()) list.sort((a, b) => b.length - a.length);
  }

  startWith(first: string): boolean {
    return this.#byFirst.has(first);
  }

  /** The longest control text that stands at `at`; undefined if none does. */
  at(text: string, at: number): string | undefined {
    return this.#byFirst.get(text[at]!)?.find((control) => text.startsWith(control, at));
  }

  /** Whether a control text begins with `start`. */
  beginWith(start: string): boolean {
    return this.#byFirst.get(start[0]!)?.some((control) => control.startsWith(start)) ?? false;
  }
}

/**
 * Puts a mark behind each character of strangers' texts with which a control token could begin, and finds the control
 * tokens of a rendered text whose first character has such a mark. Trimming, cutting and joining keep a mark beside
 * its character, so a control token can not be put together out of harmless parts either.
 */
export class Marker {
  readonly #controls: ControlTexts;
  /** A character of the private use area that occurs nowhere in what is rendered. */
  readonly #mark: string;
  /** Texts that the template looks for ("</think>") and their offsets at which a mark would hide them from it. */
  readonly #literals: (readonly [literal: string, offset: number])[] = [];

  /**
   * @param literals the texts in the template's expressions
   * @param everything all else that is rendered, as one text
   */
  constructor(controls: ControlTexts, literals: readonly string[], everything: string) {
    this.#controls = controls;
    let code = 0xe000;
    const all = everything + literals.join('');
    while (all.includes(String.fromCharCode(code))) code++;
    this.#mark = String.fromCharCode(code);
    for (const literal of new Set(literals)) {
      for (let at = 0; at < literal.length; at++) {
        if (!controls.startWith(literal[at]!)) continue;
        // Only what neither is a control token nor can become one.
        if (controls.at(literal, at) === undefined && !controls.beginWith(literal.slice(at)))
          this.#literals.push([literal, at]);
      }
    }
  }

  /** The same value with marks in all its texts; keys, numbers and the like as they are. */
  mark(value: unknown): unknown {
    if (typeof value === 'string') return this.#markText(value);
    if (Array.isArray(value)) return value.map((item) => this.mark(item));
    if (typeof value !== 'object' || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, this.mark(item)]));
  }

  #markText(text: string): string {
    let out = '';
    let copied = 0;
    for (let at = 0; at < text.length; at++) {
      if (!this.#controls.startWith(text[at]!)) continue;
      if (this.#literals.some(([literal, offset]) => text.startsWith(literal, at - offset) && at >= offset)) continue;
      out += text.slice(copied, at + 1) + this.#mark;
      copied = at + 1;
    }
    return out + text.slice(copied);
  }

  /** Takes the marks out of a rendered text and cuts it where strangers wrote control tokens. */
  segments(rendered: string): Segment[] {
    const parts = rendered.split(this.#mark);
    const text = parts.join('');
    const segments: Segment[] = [];
    let done = 0;
    let at = 0;
    const push = (end: number, special: boolean) => {
      if (end > done) segments.push({ text: text.slice(done, end), special });
      done = Math.max(done, end);
    };
    for (const part of parts.slice(0, -1)) {
      at += part.length;
      const control = at > 0 ? this.#controls.at(text, at - 1) : undefined;
      if (control === undefined) continue;
      push(at - 1, true);
      push(at - 1 + control.length, false);
    }
    push(text.length, true);
    return segments;
  }
}
