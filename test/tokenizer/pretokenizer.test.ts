// The patterns alone: how texts fall into words.

import { describe, expect, test } from 'vitest';
import { preTokenizer, splitWords } from '../../src/tokenizer/pretokenizer.ts';
import { Random } from '../ref/random.ts';
import { randomText } from './strings.ts';

const words = (name: string, text: string) => splitWords(text, preTokenizer(name)!.patterns);
const sample = "Hello 12345 world's  end...\n\n  Tab\tX I'LL été 日本語 #1!";
const names = ['llama-bpe', 'qwen2', 'qwen35', 'gpt-2', 'starcoder', 'falcon', 'default'];

// Splits by the patterns as shared/reference/tokenizers.md prints them.
test.each([
  ['llama-bpe', "Hello, ,123,45, world,'s, , end,...\n\n, , Tab,\tX, I,'LL, été, 日本語, #,1,!".split(',')],
  ['qwen2', "Hello, ,1,2,3,4,5, world,'s, , end,...\n\n, , Tab,\tX, I,'LL, été, 日本語, #,1,!".split(',')],
  ['gpt-2', "Hello, 12345, world,'s, , end,...,\n\n , Tab,\t,X, I,',LL, été, 日本語, #,1,!".split(',')],
])('%s: the sample of the reference', (name, expected) => {
  expect(words(name, sample)).toEqual(expected);
});

test('patterns in sequence cut what the ones before have made', () => {
  expect(words('starcoder', 'ab 123c')).toEqual(['ab', ' ', '1', '2', '3', 'c']);
  expect(words('falcon', "it's 12345, x=1 12")).toEqual(['it', "'", 's', ' ', '123', '45', ',', ' x', '=', '1', ' 12']);
  expect(words('default', "it's 12345 ` 12")).toEqual(['it', "'", 's', ' ', '123', '45', ' `', ' ', '12']);
});

test('white space is that of Unicode, not of JavaScript', () => {
  // U+FEFF joins the punctuation behind it, U+0085 does not.
  expect(words('gpt-2', 'a\ufeff!b\u0085!')).toEqual(['a', '\ufeff!', 'b', '\u0085', '!']);
  const spaces = [];
  for (let code = 0; code < 0x3100; code++) {
    if (words('gpt-2', `${String.fromCharCode(code)}!`).length === 2) spaces.push(code);
  }
  const notSpaces = spaces.filter((code) => /[\p{L}\p{N}]/u.test(String.fromCharCode(code)));
  const only = spaces.filter((code) => !notSpaces.includes(code));
  const expected = [9, 10, 11, 12, 13, 0x85, 0xa0, 0x1680, 0x2028, 0x2029, 0x202f, 0x205f, 0x3000];
  for (let code = 0x2000; code <= 0x200a; code++) expected.push(code);
  // The space itself joins what follows.
  expect(only).toEqual(expected.sort((a, b) => a - b));
});

test('contractions in either case, but not with the long s', () => {
  expect(words('llama-bpe', "a'S b'rE")).toEqual(['a', "'S", ' b', "'rE"]);
  expect(words('llama-bpe', "a'\u017ft")).toEqual(['a', "'\u017ft"]);
  expect(words('gpt-2', "a'S")).toEqual(['a', "'", 'S']);
});

test('qwen35 keeps marks with their letters, qwen2 does not', () => {
  expect(words('qwen35', 'ni\u0308x')).toEqual(['ni\u0308x']);
  expect(words('qwen2', 'ni\u0308x')).toEqual(['ni', '\u0308x']);
});

test('names share their families; unknown ones are undefined', () => {
  for (const name of ['llama3', 'llama-v3', 'falcon3', 'falcon_e']) {
    expect(preTokenizer(name)).toEqual(preTokenizer('llama-bpe'));
  }
  for (const name of ['olmo', 'mpt']) expect(preTokenizer(name)).toEqual(preTokenizer('gpt-2'));
  for (const name of ['smollm', 'refact', 'command-r']) expect(preTokenizer(name)).toEqual(preTokenizer('starcoder'));
  expect(preTokenizer('constructor')).toBeUndefined();
});

describe.each(names)('%s', (name) => {
  test('no text is lost', () => {
    const random = new Random(7);
    for (let i = 0; i < 2000; i++) {
      const text = randomText(random, 30);
      expect(words(name, text).join('')).toBe(text);
    }
  });

  test('a million of one character', () => {
    for (const character of ['a', ' ', '\n', '1', '!', '\u0301', '日', '😀']) {
      const text = character.repeat(1e6 / character.length);
      expect(words(name, text).join('') === text).toBe(true);
      expect(words(name, `${text}b`).join('') === `${text}b`).toBe(true);
    }
  });
});
