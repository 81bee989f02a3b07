// Which of GGUF's pre-tokenizers a tokenizer.json describes. It spells out patterns where GGUF has names; only what is
// known to be the same is taken, because a wrong one gives wrong ids without a word.

import { TernlightError } from '../errors.ts';
import { JsonObject } from './hf-json.ts';
import { describe, quote } from './safetensors-text.ts';

const contraction = "(?i:'s|'t|'re|'ve|'m|'ll|'d)";
/** The same without an inline flag. */
const spelled = "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])";
const newer = (letters: string, marks: string, digits: string) =>
  `${contraction}|[^\\r\\n\\p{L}\\p{N}]?${letters}+|${digits}` +
  `| ?[^\\s\\p{L}${marks}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+`;
const older = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";

/** Steps joined by a space, as `stepOf` writes them. */
const known = new Map([
  [`split(${newer('\\p{L}', '', '\\p{N}{1,3}')}) bytes`, 'llama-bpe'], // Llama-3, BitNet b1.58, Falcon3, Falcon-E
  [`split(${newer('\\p{L}', '', '\\p{N}')}) bytes`, 'qwen2'],
  [`split(${newer('[\\p{L}\\p{M}]', '\\p{M}', '\\p{N}')}) bytes`, 'qwen35'],
  [`split(${older}) bytes`, 'gpt-2'],
  ['words bytes', 'gpt-2'],
  ['digit words bytes', 'smollm'],
  ['punctuation words bytes digits split([0-9][0-9][0-9])', 'falcon'],
]);

/** Whether the vocabulary is in the byte alphabet of GPT-2. */
export function isByteLevel(tokenizer: JsonObject): boolean {
  return steps(tokenizer, 'pre_tokenizer').some(({ values }) => values.type === 'ByteLevel');
}

/** The name under tokenizer.ggml.pre. */
export function byteLevelPre(tokenizer: JsonObject): string {
  for (const step of steps(tokenizer, 'normalizer')) {
    // With GPT-2's pattern too (GPT-NeoX): it changes decomposed letters only, and GGUF has no name for it.
    if (step.values.type !== 'NFC') throw step.unsupported('type', '"NFC"');
  }
  const list = steps(tokenizer, 'pre_tokenizer');
  const name = known.get(list.map(stepOf).join(' '));
  if (name !== undefined) return name;
  const pattern = list.map(({ values }) => (values.pattern as { Regex?: string })?.Regex).find((text) => text);
  throw new TernlightError(
    'unsupported',
    `${tokenizer.where}: pre_tokenizer is ${list.map(({ values }) => values.type).join(', ')}` +
      `${pattern === undefined ? '' : ` with the pattern ${quote(pattern)}`}, which is not known; expected that of Llama-3, Qwen2, GPT-2, SmolLM or Falcon`,
  );
}

/** Of a SentencePiece-like tokenizer: whether a text is encoded as if a space stood in front. */
export function prefixesSpace(tokenizer: JsonObject): boolean {
  let prefixes = false;
  let marks = false;
  for (const step of steps(tokenizer, 'normalizer')) {
    const { type, pattern } = step.values as { type?: unknown; pattern?: { String?: unknown } };
    if (type === 'Prepend' && step.values.prepend === '\u2581') prefixes = true;
    else if (type === 'Replace' && pattern?.String === ' ' && step.values.content === '\u2581') marks = true;
    else throw step.unsupported('type', 'Prepend or Replace, of a space by U+2581');
  }
  for (const step of steps(tokenizer, 'pre_tokenizer')) {
    if (step.values.type !== 'Metaspace') throw step.unsupported('type', '"Metaspace"');
    if ((step.string('replacement') ?? '\u2581') !== '\u2581') throw step.unsupported('replacement', 'U+2581');
    const scheme = step.string('prepend_scheme') ?? (step.boolean('add_prefix_space') === false ? 'never' : 'always');
    prefixes ||= scheme !== 'never';
    marks = true;
  }
  if (marks) return prefixes;
  throw new TernlightError(
    'unsupported',
    `${tokenizer.where}: pre_tokenizer is ${describe(tokenizer.raw('pre_tokenizer'))}, expected one with ByteLevel or Metaspace`,
  );
}

function stepOf(step: JsonObject): string {
  switch (step.values.type) {
    case 'Split': {
      const regex = step.object('pattern')?.string('Regex');
      const isolated = step.values.behavior === 'Isolated' && !step.boolean('invert');
      // What it keeps is what the pattern matches, and that is everything.
      const kept = step.values.behavior === 'Removed' && step.boolean('invert');
      return regex !== undefined && (isolated || kept) ? `split(${regex.replace(spelled, contraction)})` : '?';
    }
    case 'ByteLevel':
      if (step.boolean('add_prefix_space')) throw step.unsupported('add_prefix_space', 'false');
      return (step.boolean('use_regex') ?? true) ? 'words bytes' : 'bytes';
    case 'Digits':
      return step.boolean('individual_digits') ? 'digit' : 'digits';
    case 'Punctuation':
      return step.values.behavior === 'Contiguous' ? 'punctuation' : '?';
  }
  return '?';
}

/** A normalizer or pre_tokenizer as a flat list. */
function steps(tokenizer: JsonObject, key: string): JsonObject[] {
  const step = tokenizer.object(key);
  return step ? flat(step) : [];
}

function flat(step: JsonObject): JsonObject[] {
  if (step.values.type !== 'Sequence') return [step];
  const list = step.list('normalizers') ?? step.list('pretokenizers') ?? [];
  return list.flatMap((item) => flat(JsonObject.of(step.where, item)));
}
