// Special tokens: where they stand in a text, and which of them end a generation. Knows nothing of merging.

import { tokenType, type Vocabulary } from './vocabulary.ts';

/** Texts that end a turn or a document in one model family or another. */
const stopTexts =
  '<|eot_id|> <|im_end|> <|end|> <end_of_turn> <|endoftext|> </s> <|eom_id|> <EOT> <|end_of_text|> _<EOT>'.split(' ');

interface SpecialToken {
  readonly id: number;
  readonly text: string;
}

export class SpecialTokens {
  /** Longest text first: the longer one wins the whole text over the shorter. */
  private readonly all: readonly SpecialToken[];
  private readonly userDefined: readonly SpecialToken[];

  constructor(vocabulary: Vocabulary) {
    const all: SpecialToken[] = [];
    for (let id = 0; id < vocabulary.size; id++) {
      const type = vocabulary.types[id]!;
      if (type !== tokenType.userDefined && !isControl(type)) continue;
      const text = vocabulary.text(id)!;
      if (text !== '') all.push({ id, text });
    }
    all.sort((a, b) => b.text.length - a.text.length);
    this.all = all;
    this.userDefined = all.filter(({ id }) => vocabulary.types[id] === tokenType.userDefined);
  }

  /**
   * Cuts a text at special tokens: ids of these, and the stretches between (never empty).
   * @param control also at control tokens; without, text can not become one whatever it says
   */
  split(text: string, control: boolean): (string | number)[] {
    let parts: (string | number)[] = text === '' ? [] : [text];
    const firsts = new Map<string, boolean>();
    for (const special of control ? this.all : this.userDefined) {
      // Most share a first character that most texts do not have.
      const first = special.text[0]!;
      if (!firsts.has(first)) firsts.set(first, text.includes(first));
      if (firsts.get(first) && text.includes(special.text)) parts = parts.flatMap((part) => cut(part, special));
    }
    return parts;
  }
}

export function isControl(type: number | undefined): boolean {
  return type === tokenType.control || type === tokenType.unknown;
}

/** The declared ids, and special tokens whose text says it: files often declare one and mean two. */
export function stopIdsOf(vocabulary: Vocabulary, declared: readonly (number | undefined)[]): Set<number> {
  const ids = new Set<number>();
  for (const id of declared) if (id !== undefined) ids.add(id);
  for (const text of stopTexts) {
    const id = vocabulary.id(text);
    if (id !== undefined && vocabulary.types[id]! >= tokenType.unknown) ids.add(id);
  }
  return ids;
}

function cut(part: string | number, special: SpecialToken): (string | number)[] {
  if (typeof part === 'number') return [part];
  const parts: (string | number)[] = [];
  let begin = 0;
  for (let at = part.indexOf(special.text); at >= 0; at = part.indexOf(special.text, begin)) {
    if (at > begin) parts.push(part.slice(begin, at));
    parts.push(special.id);
    begin = at + special.text.length;
  }
  if (begin < part.length) parts.push(part.slice(begin));
  return parts;
}
