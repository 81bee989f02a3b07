// How byte-level BPE cuts a text into words before any merging: one or more patterns by tokenizer.ggml.pre. The
// pattern decides the ids as much as the merges do, digits above all. Knows nothing of tokens.

import { TernlightError } from '../errors.ts';

export interface PreTokenizer {
  /** Each cuts the pieces that the one before has made. Each covers any text without a gap. */
  readonly patterns: readonly RegExp[];
  /** Texts are put in Unicode normal form C first. */
  readonly nfc: boolean;
  /** A word that is a token as it stands is that token, even where merging would not lead to it. */
  readonly ignoreMerges: boolean;
  /** Whether a text begins with the beginning-of-text token where the file does not say. */
  readonly addsBos: boolean;
}

// Not \s: JavaScript's has U+FEFF and lacks U+0085. No `i` flag: with `u` it would take U+017F for an s.
const space = '\\p{White_Space}';
const spaces = `${space}+(?!\\P{White_Space})|${space}+`;
const contraction = "'(?:[sS]|[tT]|[rR][eE]|[vV][eE]|[mM]|[lL][lL]|[dD])";
const newer = (letters: string, digits: string) =>
  `${contraction}|[^\\r\\n\\p{N}${letters}]?[${letters}]+|${digits}` +
  `| ?[^${space}\\p{N}${letters}]+[\\r\\n]*|${space}*[\\r\\n]+|${spaces}`;
const older = `'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^${space}\\p{L}\\p{N}]+|${spaces}`;
const threeDigits = '[0-9]{3}|(?:(?![0-9]{3})[^])+';
const runsOf = (inside: string) => `[${inside}]+|[^${inside}]+`;

type Rule = [patterns: string[], flags?: 'llama3' | 'nfc'];

const llama3: Rule = [[newer('\\p{L}', '\\p{N}{1,3}')], 'llama3'];
const gpt2: Rule = [[older]];
const digitByDigit: Rule = [['\\p{N}|\\P{N}+', older]];

const rules = new Map<string, Rule>([
  ['qwen2', [[newer('\\p{L}', '\\p{N}')], 'nfc']],
  ['qwen35', [[newer('\\p{L}\\p{M}', '\\p{N}')], 'nfc']],
  ['falcon', [[runsOf('\\p{P}$+<=>^~|`'), older, threeDigits]]],
  ['default', [[runsOf('\\p{P}$+<=>^~|'), older, runsOf('\\p{N}'), threeDigits]]],
]);
for (const name of 'llama-bpe llama3 llama-v3 falcon3 falcon-h1 falcon_e pixtral'.split(' ')) rules.set(name, llama3);
for (const name of 'gpt-2 phi-2 olmo mpt jais'.split(' ')) rules.set(name, gpt2);
for (const name of 'starcoder smollm refact command-r'.split(' ')) rules.set(name, digitByDigit);

/** Undefined if the name is not known. */
export function preTokenizer(name: string): PreTokenizer | undefined {
  const rule = rules.get(name);
  if (!rule) return undefined;
  const [patterns, flags] = rule;
  return {
    patterns: patterns.map((pattern) => new RegExp(pattern, 'gu')),
    nfc: flags === 'nfc',
    ignoreMerges: flags === 'llama3',
    addsBos: flags === 'llama3',
  };
}

/** The words of a text; joined they are the text again. */
export function splitWords(text: string, patterns: readonly RegExp[]): string[] {
  let words = [text];
  for (const pattern of patterns) {
    const pieces: string[] = [];
    for (const word of words) for (const piece of matches(word, pattern)) pieces.push(piece);
    words = pieces;
  }
  return words;
}

function matches(text: string, pattern: RegExp): readonly string[] {
  try {
    return text.match(pattern) ?? [];
  } catch (cause) {
    // Engines keep a way back for every character of a run; several million without a gap exhaust that.
    const what = `tokenizer: a text of ${text.length} UTF-16 units is too long for this runtime's patterns`;
    throw new TernlightError('unsupported', `${what}; encode it in parts`, { cause });
  }
}
