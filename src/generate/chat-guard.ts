// Renders and encodes so that texts of users never become control tokens, whatever a template does to them: trims,
// splits, joins. Knows tokenizers, not models; what a rendering is, is the caller's business.

import { TernlightError } from '../errors.ts';
import type { Tokenizer } from '../tokenizer/types.ts';

/**
 * The ids of `render(texts)`, exactly as if the whole were encoded with special tokens parsed, except for control
 * tokens that strings within `texts` (keys too) spell or help to spell: those are encoded as text. No BOS is added.
 * `render` is called twice at most; strings that are not harmless reach it with other characters in some places.
 */
export function encodeUntrusted<T>(tokenizer: Tokenizer, texts: T, render: (texts: T) => string): number[] {
  const controls = controlTexts(tokenizer);
  const strings: string[] = [];
  mapStrings(texts, (text) => {
    strings.push(text);
    return text;
  });
  const disguise = new Disguise(controls.edges, strings.join(''));
  const spells = (text: string) => controls.cut(text).some((piece) => typeof piece === 'number');

  // Templates look into texts (is there a "</think>"?), so only those that spell a whole control token are disguised.
  let disguised = strings.some(spells);
  const rendered = render(mapStrings(texts, (text) => (spells(text) ? disguise.put(text) : text)));
  let pieces = controls.cut(rendered);
  if (strings.some((text) => disguise.put(text) !== text)) {
    // Parts of one may still come together, from two texts or over what the template takes out. With all of them
    // disguised they cannot; if that gives other control tokens, it is the one to trust. Bare words are left: they
    // are the roles that templates compare.
    const all = (text: string) => (spells(text) || !/^\w*$/.test(text) ? disguise.put(text) : text);
    const safe = controls.cut(render(mapStrings(texts, all)));
    if (idsOf(safe) !== idsOf(pieces)) {
      pieces = safe;
      disguised = true;
    }
  }
  if (!disguised) return tokenizer.encode(rendered, { special: true, bos: false });
  return pieces.flatMap((piece) =>
    typeof piece === 'number' ? piece : tokenizer.encode(disguise.remove(piece), { bos: false }),
  );
}

function idsOf(pieces: readonly (string | number)[]): string {
  return pieces.filter((piece) => typeof piece === 'number').join();
}

/** Of messages and variables: lists that hold the same list twice, which holds ..., have no end for all purposes. */
const maxValues = 1_000_000;

/** A copy with all strings changed. */
function mapStrings<T>(value: T, change: (text: string) => string): T {
  let left = maxValues;
  const map = (value: unknown, depth: number): unknown => {
    if (--left < 0) throw invalid(`messages and variables hold more than ${maxValues} values`);
    if (typeof value === 'string') return change(value);
    if (typeof value !== 'object' || value === null) return value;
    if (depth > 100) throw invalid('messages or variables are nested more than 100 deep; do they hold themselves?');
    if (Array.isArray(value)) return value.map((part) => map(part, depth + 1));
    return Object.fromEntries(Object.entries(value).map(([key, part]) => [change(key), map(part, depth + 1)]));
  };
  return map(value, 0) as T;
}

function invalid(what: string): TernlightError {
  return new TernlightError('invalid-option', `chat: ${what}`);
}

/** Characters replaced by others that occur nowhere, one for one, and back. */
class Disguise {
  readonly put: (text: string) => string;
  readonly remove: (text: string) => string;

  constructor(characters: Iterable<string>, text: string) {
    const used = new Set(text);
    const masks = new Map<string, string>();
    // The private use planes: characters of nobody, and more than a text of the usual length can use up.
    let code = 0xf0000;
    for (const character of characters) {
      while (used.has(String.fromCodePoint(code)) && code < 0x10fffd) code++;
      const mask = String.fromCodePoint(code++);
      if (code >= 0x10fffd) throw invalid('the messages use all private use characters, expected some to be free');
      masks.set(character, mask);
    }
    this.put = translator(masks);
    this.remove = translator(new Map([...masks].map(([character, mask]) => [mask, character])));
  }
}

function translator(characters: ReadonlyMap<string, string>): (text: string) => string {
  const codes = [...characters.keys()].map((character) => `\\u{${character.codePointAt(0)!.toString(16)}}`);
  const pattern = new RegExp(`[${codes.join('')}]`, 'gu');
  return (text) => text.replace(pattern, (character) => characters.get(character)!);
}

interface ControlTexts {
  /** Characters such that whoever may not use them cannot begin, end or spell a control token. */
  readonly edges: ReadonlySet<string>;
  /** A text cut at control tokens: their ids and the stretches between. A text without them is one piece. */
  cut(text: string): (string | number)[];
}

const known = new WeakMap<Tokenizer, ControlTexts>();

function controlTexts(tokenizer: Tokenizer): ControlTexts {
  let controls = known.get(tokenizer);
  if (!controls) {
    controls = findControlTexts(tokenizer);
    known.set(tokenizer, controls);
  }
  return controls;
}

function findControlTexts(tokenizer: Tokenizer): ControlTexts {
  const ids = new Map<string, number>();
  for (let id = 0; id < tokenizer.vocabSize; id++) {
    const text = tokenizer.isControl(id) ? tokenizer.token(id) : undefined;
    if (text && !ids.has(text)) ids.set(text, id);
  }
  const edges = new Set<string>();
  for (const text of ids.keys()) for (const edge of edgesOf([...text])) edges.add(edge);
  const texts = [...ids.keys()].sort();
  const firsts = new Set(texts.map((text) => text.charCodeAt(0)));
  const cut = (text: string) => {
    const pieces: (string | number)[] = [];
    let begin = 0;
    // A vocabulary of "<<<<...<" and the like would take for ever.
    const work = { left: 6 * text.length + 100_000 };
    for (let at = 0; at < text.length; at++) {
      if (!firsts.has(text.charCodeAt(at))) continue;
      const found = longestAt(text, at, texts, work);
      if (found === undefined) continue;
      if (at > begin) pieces.push(text.slice(begin, at));
      pieces.push(ids.get(found)!);
      begin = at + found.length;
      at = begin - 1;
    }
    if (begin < text.length) pieces.push(text.slice(begin));
    return pieces;
  };
  return { edges, cut };
}

/** The longest of the sorted `texts` that stands at this place: the longer one wins, as in the tokenizer. */
function longestAt(text: string, at: number, texts: readonly string[], work: { left: number }): string | undefined {
  let found: string | undefined;
  // texts[begin .. end) have their first `length` characters in common with the text.
  let begin = 0;
  let end = texts.length;
  for (let length = 0; begin < end; length++) {
    if (texts[begin]!.length === length) found = texts[begin++];
    const code = text.charCodeAt(at + length);
    if (Number.isNaN(code)) break;
    if (--work.left < 0)
      throw new TernlightError(
        'template',
        "chat: the vocabulary's control tokens and the text overlap too often, expected tokens like <|this|>; use generate()",
      );
    const first = (beyond: number) => {
      let [low, high] = [begin, end];
      while (low < high) {
        const middle = (low + high) >> 1;
        if (texts[middle]!.charCodeAt(length) < beyond) low = middle + 1;
        else high = middle;
      }
      return low;
    };
    [begin, end] = [first(code), first(code + 1)];
  }
  return found;
}

/** The first and the last character unless they are letters or digits, which all texts need; the first as a last resort. */
function edgesOf(characters: readonly string[]): string[] {
  const marks = [characters[0]!, characters.at(-1)!].filter((character) => !/[\p{L}\p{N}\s]/u.test(character));
  return marks.length > 0 ? marks : [characters[0]!];
}
