// Streaming: pieces joined are the whole, and no piece holds half a character.

import { expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import type { Tokenizer } from '../../src/tokenizer/types.ts';
import { Utf8Stream } from '../../src/tokenizer/utf8.ts';
import { Random } from '../ref/random.ts';
import { randomText } from './strings.ts';
import { bpe512, largeMetadata, largeNames, spm512 } from './vocabularies.ts';

const wholeDecoder = new TextDecoder('utf-8', { ignoreBOM: true });

test('UTF-8 in any pieces is what TextDecoder makes of the whole', () => {
  const random = new Random(3);
  const leads = [0x00, 0x41, 0x7f, 0x80, 0xbf, 0xc0, 0xc1, 0xc2, 0xdf, 0xe0, 0xed, 0xef, 0xf0, 0xf4, 0xf5, 0xff, 0xbb];
  for (let i = 0; i < 3000; i++) {
    const odd = Uint8Array.from({ length: random.int(0, 12) }, () => leads[random.int(0, leads.length - 1)]!);
    const bytes = i % 2 === 0 ? odd : new TextEncoder().encode(randomText(random, 8));
    const stream = new Utf8Stream();
    let text = '';
    for (let at = 0; at < bytes.length; ) {
      const end = at + random.int(0, 3);
      text += stream.push(bytes.subarray(at, end));
      at = end;
    }
    expect(text + stream.end()).toBe(wholeDecoder.decode(bytes));
  }
});

test('a character comes with its last byte', () => {
  const stream = new Utf8Stream();
  const pieces = [0xf0, 0x9f, 0x99, 0x82, 0x41, 0xe2, 0x82].map((byte) => stream.push(Uint8Array.of(byte)));
  expect(pieces).toEqual(['', '', '', '🙂', 'A', '', '']);
  expect(stream.end()).toBe('\ufffd');
  expect(stream.end()).toBe('');
});

test('the bytes that are pushed may change afterwards', () => {
  const stream = new Utf8Stream();
  const bytes = Uint8Array.of(0xc3);
  stream.push(bytes);
  bytes[0] = 0x41;
  expect(stream.push(Uint8Array.of(0xa9))).toBe('é');
});

function checkStreaming(tokenizer: Tokenizer): void {
  const random = new Random(11);
  for (let i = 0; i < 300; i++) {
    const ids = Array.from({ length: random.int(0, 40) }, () => random.int(0, tokenizer.vocabSize - 1));
    const special = i % 2 === 0;
    const decoder = tokenizer.decoder({ special, atStart: true });
    const pieces = ids.map((id) => decoder.push(id));
    pieces.push(decoder.end());
    expect(pieces.join('')).toBe(tokenizer.decode(ids, { special }));
    for (const piece of pieces) expect(piece).not.toMatch(/[\ud800-\udbff]$|^[\udc00-\udfff]/);
    if (special) continue;
    const bytes = ids.flatMap((id) => [...tokenizer.tokenBytes(id)]);
    const text = wholeDecoder.decode(Uint8Array.from(bytes));
    expect([text, text.replace(/^ /, '')]).toContain(pieces.join(''));
  }
  for (let i = 0; i < 300; i++) {
    // What was encoded comes back, whatever is in it.
    const text = randomText(random, 20).normalize().toString();
    const wellFormed = wholeDecoder.decode(new TextEncoder().encode(text)).replaceAll('\u2581', ' ');
    const got = tokenizer.decode(tokenizer.encode(text, { bos: false }));
    expect(got.replaceAll('\u2581', ' ')).toBe(wellFormed);
  }
}

test('streamed = whole: bpe512, spm512', () => {
  checkStreaming(createTokenizer(bpe512()));
  checkStreaming(createTokenizer(spm512()));
});

// Falcon's vocabulary lacks 15 bytes: not every text comes back.
test.each(largeNames.filter((name) => name !== 'falcon'))('streamed = whole: %s', async (name) => {
  checkStreaming(createTokenizer(await largeMetadata(name)));
});
