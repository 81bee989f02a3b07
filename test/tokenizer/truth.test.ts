// Ids by the models' own tokenizers and by llama.cpp.

import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import type { Tokenizer } from '../../src/tokenizer/types.ts';
import {
  bpe512,
  goldenJson,
  largeMetadata,
  largeNames,
  llamaCppTexts,
  spm512,
  truthText,
  wikiText,
} from './vocabularies.ts';

interface Case {
  text: string;
  /** Special tokens in the text not parsed. */
  plain: number[];
  /** Parsed. */
  special?: number[];
  /** The answer of the model's own tokenizer where llama.cpp's is another. */
  hf?: number[];
}

function checkCases(tokenizer: Tokenizer, cases: Case[]): void {
  expect(cases.length).toBe(38);
  for (const { text, plain, special, hf } of cases) {
    expect(tokenizer.encode(text, { bos: false }), text).toEqual(hf ?? plain);
    if (special) expect(tokenizer.encode(text, { bos: false, special: true }), text).toEqual(hf ?? special);
    expect(tokenizer.decode(plain), text).toBe(text);
  }
}

describe('small vocabularies', () => {
  test('spm512: SentencePiece', () => {
    checkCases(createTokenizer(spm512()), goldenJson('spm512.cases.json').cases);
  });

  test('bpe512: byte-level', () => {
    const tokenizer = createTokenizer(bpe512());
    const { cases } = goldenJson('bpe512.json');
    expect(cases.length).toBe(9);
    for (const { text, ids, decoded } of cases) {
      expect(tokenizer.encode(text, { bos: false, special: true })).toEqual(ids);
      expect(tokenizer.decode(ids, { special: true })).toBe(decoded);
    }
  });
});

describe.each(largeNames)('%s', (name) => {
  test('our 38 texts', async () => {
    checkCases(createTokenizer(await largeMetadata(name)), JSON.parse(truthText(`${name}.cases.json`)).cases);
  });

  test("llama.cpp's 47 texts", async () => {
    const tokenizer = createTokenizer(await largeMetadata(name));
    const texts = llamaCppTexts(name);
    expect(texts.length).toBe(47);
    for (const { text, ids } of texts) {
      expect(tokenizer.encode(text, { bos: false }), text).toEqual(ids);
      expect(tokenizer.decode(ids), text).toBe(text);
    }
  });

  test('a text of 1.3 MB comes back', async () => {
    const tokenizer = createTokenizer(await largeMetadata(name));
    const text = wikiText();
    expect(tokenizer.decode(tokenizer.encode(text)) === text).toBe(true);
  });

  test('every token is found by its own string', async () => {
    const tokenizer = createTokenizer(await largeMetadata(name));
    let wrong = 0;
    for (let id = 0; id < tokenizer.vocabSize; id++) if (tokenizer.id(tokenizer.token(id)!) !== id) wrong++;
    expect(wrong).toBe(0);
  });
});
