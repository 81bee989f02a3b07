// Against another implementation, written apart from this one: lines of real text and random strings.

import { describe, expect, test } from 'vitest';
import type { Metadata } from '../../src/formats/types.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/tokenizer/utf8.ts';
import { Random } from '../ref/random.ts';
import { libraryTokenizer } from './library.ts';
import { randomText } from './strings.ts';
import { bpe512, largeMetadata, largeNames, spm512, wikiText } from './vocabularies.ts';

const nStrings = 3000;
const lines = wikiText().split('\n');

const vocabularies: [string, () => Promise<Metadata>][] = [
  ['bpe512', async () => bpe512()],
  ['spm512', async () => spm512()],
  ...largeNames.map((name): [string, () => Promise<Metadata>] => [name, () => largeMetadata(name)]),
];

describe.each(vocabularies)('%s', (_, read) => {
  test('equal ids', async () => {
    const metadata = await read();
    const ours = createTokenizer(metadata);
    const library = libraryTokenizer(metadata);
    const random = new Random(20261121);
    const texts = Array.from({ length: nStrings }, () => randomText(random, 24));
    for (let i = 0; i < lines.length; i += 4) texts.push(lines[i]!);
    for (const [i, text] of texts.entries()) {
      const special = i % 2 === 1;
      // Lone surrogates are U+FFFD to both sides: the library looks at UTF-16, other tokenizers at UTF-8.
      const expected = library.encode(decodeUtf8(encodeUtf8(text)), special);
      const got = ours.encode(text, { bos: false, special });
      if (got.join() !== expected.join()) expect(got, JSON.stringify({ text, special })).toEqual(expected);
    }
  });
});
