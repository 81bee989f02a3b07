// SentencePiece BPE on vocabularies small enough to follow by hand.

import { expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { metadataOf, spm512 } from './vocabularies.ts';

const special = ['<unk>', '<s>', '</s>'];

/** Tokens from id 3 on, with scores of their own. */
function tokenizer(pieces: [string, number][], more: Record<string, unknown> = {}) {
  const tokens = [...special, ...pieces.map(([piece]) => piece)];
  const scores = [0, 0, 0, ...pieces.map(([, score]) => score)];
  const token_type = [2, 3, 3, ...pieces.map(([piece]) => (/^<0x/.test(piece) ? 6 : 1))];
  const keys = { model: 'llama', tokens, scores, token_type, add_bos_token: false, add_space_prefix: false };
  return createTokenizer(metadataOf({ ...keys, ...more }));
}

test('highest score first, the leftmost of equals', () => {
  const letters: [string, number][] = [
    ['a', -10],
    ['b', -11],
  ];
  expect(tokenizer([...letters, ['ab', -2], ['aa', -1]]).encode('aab')).toEqual([6, 4]);
  expect(tokenizer([...letters, ['ab', -1], ['aa', -2]]).encode('aab')).toEqual([3, 5]);
  expect(tokenizer([...letters, ['ab', -1], ['aa', -1]]).encode('aab')).toEqual([6, 4]);
});

test('a character that is no token still joins', () => {
  expect(
    tokenizer([
      ['a', -1],
      ['xa', -2],
    ]).encode('xa'),
  ).toEqual([4]);
});

test('bytes where no token fits, the unknown token where there are none', () => {
  const bytes = Array.from({ length: 256 }, (_, byte): [string, number] => {
    return [`<0x${byte.toString(16).toUpperCase().padStart(2, '0')}>`, 0];
  });
  const full = tokenizer([...bytes, ['a', -1]]);
  expect(full.encode('aé')).toEqual([259, 3 + 0xc3, 3 + 0xa9]);
  expect(full.decode([259, 3 + 0xc3, 3 + 0xa9])).toBe('aé');
  expect([...full.tokenBytes(3 + 0x0a)]).toEqual([0x0a]);
  // The text of a byte token is text.
  expect(full.decode(full.encode('<0x0A>'))).toBe('<0x0A>');
  const none = tokenizer([['a', -1]]);
  expect(none.encode('aé')).toEqual([3, 0, 0]);
  expect(none.notes).toContain('243 of the 243 bytes of UTF-8 have no token and become the unknown token');
});

test('the space in front, and its key', () => {
  const withSpace = createTokenizer(spm512());
  const without = createTokenizer(spm512({ add_space_prefix: false }));
  expect(withSpace.encode('the')).toEqual(without.encode(' the'));
  expect(withSpace.encode('the')).not.toEqual(without.encode('the'));
  for (const text of ['', ' ', 'the', ' the', '  the ', '\u2581', ' \n ']) {
    const marked = text.replaceAll('\u2581', ' ');
    expect(withSpace.decode(withSpace.encode(text))).toBe(marked);
    expect(without.decode(without.encode(text))).toBe(marked);
  }
});

test('the space in front is dropped at the start only', () => {
  const tokens = createTokenizer(spm512());
  const ids = [tokens.id('▁the')!, tokens.id('▁to')!];
  expect(tokens.decode(ids)).toBe('the to');
  expect(tokens.decode([1, ...ids])).toBe('the to');
  expect(tokens.decode([1, ...ids], { special: true })).toBe('<s> the to');
  const text = (atStart?: boolean) => {
    const decoder = tokens.decoder({ atStart });
    return ids.map((id) => decoder.push(id)).join('') + decoder.end();
  };
  expect(text()).toBe(' the to');
  expect(text(true)).toBe('the to');
});

test('tokens with a space inside are found', () => {
  const tokens = tokenizer([
    ['▁', -9],
    ['a', -8],
    ['b', -7],
    ['a▁', -1],
    ['a▁b', -2],
    ['▁b', -3],
  ]);
  expect(tokens.encode('a b')).toEqual([7]);
  expect(tokens.decode([7, 8])).toBe('a b b');
});

test('U+FEFF is a character like others', () => {
  const tokens = createTokenizer(spm512());
  expect(tokens.decode(tokens.encode('\ufeffa\ufeff'))).toBe('\ufeffa\ufeff');
});

test('scores that are all equal, or no numbers', () => {
  const pieces: [string, number][] = [
    ['a', 0],
    ['b', 0],
    ['ab', 0],
    ['ba', 0],
  ];
  expect(tokenizer(pieces).encode('aba')).toEqual([5, 3]);
  expect(tokenizer(pieces.map(([piece]) => [piece, Number.NaN])).encode('aba')).toEqual([5, 3]);
});

test('a million of one character, in time that is not quadratic', () => {
  const tokens = createTokenizer(spm512());
  for (const text of ['a'.repeat(20000), 'a'.repeat(1e6), ' '.repeat(1e6), 'the'.repeat(3e5), '日'.repeat(2e5)]) {
    expect(tokens.decode(tokens.encode(text)) === text).toBe(true);
  }
});
