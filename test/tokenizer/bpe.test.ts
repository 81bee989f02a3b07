// Byte-level BPE on vocabularies small enough to follow by hand.

import { expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { bpe512, largeMetadata, largeNames, metadataOf } from './vocabularies.ts';

function tokenizer(tokens: string[], merges: string[], more: Record<string, unknown> = {}) {
  const token_type = tokens.map(() => 1);
  return createTokenizer(metadataOf({ model: 'gpt2', pre: 'gpt-2', tokens, merges, token_type, ...more }));
}

test('lowest rank first, the leftmost of equals', () => {
  const tokens = ['a', 'b', 'aa', 'ab', 'aab'];
  expect(tokenizer(tokens, ['a b', 'a a']).encode('aab')).toEqual([0, 3]);
  expect(tokenizer(tokens, ['a a', 'a b', 'aa b']).encode('aab')).toEqual([4]);
  expect(tokenizer(tokens, ['a a']).encode('aaa')).toEqual([2, 0]);
  // Long enough for the heap.
  expect(tokenizer(tokens, ['a a']).encode('a'.repeat(101))).toEqual([...new Array(50).fill(2), 0]);
  expect(tokenizer(tokens, ['a b', 'a a']).encode(`${'a'.repeat(100)}b`)).toEqual([...new Array(49).fill(2), 0, 3]);
});

test('a heap and a scan choose alike', () => {
  // The same word, once as it is and once behind a run that joins nothing and makes the word long.
  const metadata = bpe512({ pre: 'gpt-2' });
  const tokens = createTokenizer(metadata);
  const run = 'Q'.repeat(50);
  const head = tokens.encode(run, { bos: false });
  expect(head.length).toBe(50);
  for (const word of ['tokenizers', 'llama', 'quantization', 'weightsofthetensor']) {
    expect(tokens.encode(run + word, { bos: false })).toEqual([...head, ...tokens.encode(word, { bos: false })]);
  }
});

test('ignore_merges: a whole word that no merge leads to', () => {
  const tokens = ['a', 'b', 'c', 'ab', 'abc'];
  expect(tokenizer(tokens, ['a b'], { pre: 'llama-bpe' }).encode('abc')).toEqual([4]);
  expect(tokenizer(tokens, ['a b'], { pre: 'qwen2' }).encode('abc')).toEqual([3, 2]);
});

test('merges that name unknown tokens are passed over, of equal ones the first counts', () => {
  const merges = ['x y', 'a', '', 'a  b', 'a b', 'b a', 'a b', 'ab q', '日 本'];
  const tokens = tokenizer(['a', 'b', 'ab', 'ba'], merges);
  expect(tokens.encode('aba')).toEqual([2, 0]);
});

test('bytes without a token are left out, or the unknown token where there is one', () => {
  const more = { token_type: [1, 2], unknown_token_id: 1 };
  expect(tokenizer(['a', '?!'], []).encode('a_aé')).toEqual([0, 0]);
  expect(tokenizer(['a', '?!'], []).notes).toContain('242 of the 243 bytes of UTF-8 have no token and are left out');
  expect(tokenizer(['a', '?!'], [], more).encode('a_aé')).toEqual([0, 1, 0, 1, 1]);
  expect(createTokenizer(bpe512()).notes).toEqual([]);
});

test('a token that is not in the byte alphabet is text as it stands', () => {
  const tokens = tokenizer(['a', 'a b', 'Ġ', '日本'], []);
  expect([0, 1, 2, 3].map((id) => tokens.decode([id]))).toEqual(['a', 'a b', ' ', '日本']);
  expect([0, 1, 2, 3].map((id) => tokens.id(tokens.token(id)!))).toEqual([0, 1, 2, 3]);
  expect(tokens.encode('a b')).toEqual([0, 2]);
});

test('tokens by string, bytes and number', () => {
  const tokens = createTokenizer(bpe512());
  expect(tokens.vocabSize).toBe(512);
  expect(tokens.token(268)).toBe('he');
  expect(tokens.id('Ġthe')).toBe(tokens.encode(' the')[1]);
  expect([...tokens.tokenBytes(tokens.id('Ġthe')!)]).toEqual([0x20, 0x74, 0x68, 0x65]);
  expect(tokens.id('no such token')).toBeUndefined();
  expect(tokens.id(' the')).toBeUndefined();
  for (const id of [-1, 512, 1.5, Number.NaN]) {
    expect(tokens.token(id)).toBeUndefined();
    expect(tokens.tokenBytes(id).length).toBe(0);
    expect(tokens.isControl(id)).toBe(false);
    expect(tokens.decode([id])).toBe('');
  }
});

test('the empty text', () => {
  const tokens = createTokenizer(bpe512());
  expect(tokens.encode('')).toEqual([509]);
  expect(tokens.encode('', { bos: false })).toEqual([]);
  expect(tokens.decode([])).toBe('');
});

test('lone surrogates are U+FFFD', () => {
  const tokens = createTokenizer(bpe512());
  expect(tokens.encode('a\ud800b\udc00')).toEqual(tokens.encode('a\ufffdb\ufffd'));
  expect(tokens.decode(tokens.encode('a\ud800b'))).toBe('a\ufffdb');
});

test('the cache changes nothing', () => {
  const warm = createTokenizer(bpe512());
  const text = Array.from({ length: 30000 }, (_, i) => `word${i.toString(36)}`).join(' ');
  const first = warm.encode(text);
  expect(warm.encode(text)).toEqual(first);
  expect(createTokenizer(bpe512()).encode(text)).toEqual(first);
});

test('words of a million bytes, in time that is not quadratic', () => {
  const tokens = createTokenizer(bpe512());
  for (const text of ['a'.repeat(20000), 'a'.repeat(1e6), 'ab'.repeat(5e5), ' '.repeat(1e6), '日'.repeat(3e5)]) {
    expect(tokens.decode(tokens.encode(text)) === text).toBe(true);
  }
});

test.runIf(largeNames.length > 0)('qwen2: NFC, but not of an absurd run of marks', async () => {
  const tokens = createTokenizer(await largeMetadata('qwen2'));
  expect(tokens.encode('e\u0301')).toEqual(tokens.encode('\u00e9'));
  const marks = `e${'\u0315\u0316'.repeat(5e5)}`;
  expect(tokens.decode(tokens.encode(marks)) === marks).toBe(true);
});
