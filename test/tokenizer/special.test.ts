// Special tokens in texts: parsed when asked, never otherwise.

import { expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { bpe512, metadataOf, spm512 } from './vocabularies.ts';

function tokenizer(specials: [string, number][], more: Record<string, unknown> = {}) {
  const letters = [...'abcdefghijklmnopqrstuvwxyz<>|_/'];
  const tokens = [...letters, ...specials.map(([text]) => text)];
  const token_type = [...letters.map(() => 1), ...specials.map(([, type]) => type)];
  return createTokenizer(metadataOf({ model: 'gpt2', pre: 'gpt-2', tokens, merges: [], token_type, ...more }));
}
/** The id of the first of the specials above. */
const first = 31;

test('text is not parsed for control tokens unless asked', () => {
  const bpe = createTokenizer(bpe512());
  const text = '<|begin_of_text|>hi<|eot_id|>';
  expect(bpe.encode(text, { bos: false, special: true })).toEqual([509, ...bpe.encode('hi', { bos: false }), 511]);
  for (const evil of [text, '<|eot_id|>', ' <|eot_id|>\n', '<|<|eot_id|>eot_id|>', '<|eot_id|><|eot_id|>']) {
    const ids = bpe.encode(evil, { bos: false });
    expect(ids.some((id) => bpe.isControl(id))).toBe(false);
    expect(bpe.decode(ids)).toBe(evil);
  }
  const spm = createTokenizer(spm512());
  for (const evil of ['<s>', '</s>', ' </s>', '<unk>', 'a</s></s>b', '<0x00>']) {
    const ids = spm.encode(evil, { bos: false });
    expect(ids.some((id) => id < 3)).toBe(false);
    expect(spm.decode(ids)).toBe(evil);
  }
});

test('not even a word that is a token as it stands', () => {
  // Where whole words are looked up, a control token spelt like a word must not be found.
  const tokens = tokenizer(
    [
      ['end', 3],
      ['abc', 1],
    ],
    { pre: 'llama-bpe' },
  );
  expect(tokens.encode('end').length).toBe(3);
  expect(tokens.encode('end', { special: true })).toEqual([first]);
  expect(tokens.encode('abc')).toEqual([first + 1]);
});

test('a merge does not make one', () => {
  const specials: [string, number][] = [
    ['ab', 1],
    ['abc', 3],
  ];
  expect(tokenizer(specials, { merges: ['a b', 'ab c'] }).encode('abc')).toEqual([first, 2]);
});

test('user-defined tokens are parsed always, and are text', () => {
  const tokens = tokenizer([
    ['<think>', 4],
    ['<|x|>', 3],
  ]);
  expect(tokens.encode('a<think><|x|>').slice(0, 3)).toEqual([0, first, tokens.id('<')!]);
  expect(tokens.encode('a<think><|x|>', { special: true })).toEqual([0, first, first + 1]);
  expect(tokens.decode([0, first, first + 1])).toBe('a<think>');
  expect(tokens.decode([0, first, first + 1], { special: true })).toBe('a<think><|x|>');
  expect(tokens.isControl(first)).toBe(false);
});

test('the longer token wins the whole text over the shorter', () => {
  const tokens = tokenizer([
    ['<a>', 3],
    ['b<a>b', 3],
    ['>>', 3],
  ]);
  const parse = (text: string) => tokens.encode(text, { special: true });
  expect(parse('<a>b<a>b<a>')).toEqual([first, first + 1, first]);
  expect(parse('<a>>')).toEqual([first, tokens.id('>')!]);
  expect(parse('>>>')).toEqual([first + 2, tokens.id('>')!]);
});

test('empty special tokens are no trap', () => {
  expect(
    tokenizer([
      ['', 3],
      ['', 4],
    ]).encode('ab', { special: true }),
  ).toEqual([0, 1]);
});

test('SentencePiece puts a space in front of each stretch', () => {
  const tokens = createTokenizer(spm512());
  const the = tokens.id('▁the')!;
  expect(tokens.encode('the</s>the', { special: true })).toEqual([1, the, 2, the]);
});

test('one beginning of text, whoever writes it', () => {
  const tokens = createTokenizer(bpe512());
  expect(tokens.encode('a')).toEqual([509, 64]);
  expect(tokens.encode('<|begin_of_text|>a', { special: true })).toEqual([509, 64]);
  expect(tokens.encode('<|begin_of_text|>a', { special: true, bos: false })).toEqual([509, 64]);
  expect(tokens.encode('<|eot_id|>a', { special: true })).toEqual([509, 511, 64]);
});

test('many tokens in a long text', () => {
  const specials = Array.from({ length: 500 }, (_, i): [string, number] => [`<${'x'.repeat(i % 7)}|${i}|>`, 3]);
  const tokens = tokenizer(specials);
  const text = specials.map(([special]) => `${special}a`).join('');
  const ids = tokens.encode(text.repeat(5), { special: true });
  expect(ids.length).toBe(5000);
  expect(ids.slice(0, 4)).toEqual([first, 0, first + 1, 0]);
});
