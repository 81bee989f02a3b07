// tokenizer.bin: both variants made from GPT-2's vocabulary, byte for byte as published, and small ones made by hand.

import { createHash } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import { bytesSource, streamSource } from '../../src/formats/source.ts';
import { readTokenizerBin } from '../../src/formats/tokenizer-bin.ts';
import type { Metadata } from '../../src/formats/types.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { largeMetadata, largeNames, llamaCppTexts, truthText } from '../tokenizer/vocabularies.ts';

type Variant = 'alphabet' | 'decoded' | 'raw';

/** The file's bytes from those of its tokens. */
function file(tokens: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array(tokens.reduce((sum, token) => sum + 4 + token.length, 0));
  const view = new DataView(out.buffer);
  let at = 0;
  for (const token of tokens) {
    view.setUint32(at, token.length, true);
    out.set(token, at + 4);
    at += 4 + token.length;
  }
  return out;
}

/** GPT-2's own order of bytes. */
const byteOrder = Array.from({ length: 256 }, (_, byte) => byte).sort((a, b) => hidden(a) - hidden(b) || a - b);
function hidden(byte: number): number {
  return byte <= 0x20 || (byte >= 0x7f && byte <= 0xa0) || byte === 0xad ? 1 : 0;
}
const alphabet = new Map<number, string>(
  byteOrder.map((byte, id) => [byte, String.fromCodePoint(hidden(byte) ? 0x100 + id - 188 : byte)]),
);

/** A small vocabulary: the bytes, then these. */
function small(variant: Variant, more: readonly (string | readonly number[])[]): Uint8Array<ArrayBuffer> {
  const all: Uint8Array[] = [
    ...byteOrder.map((byte) => Uint8Array.of(byte)),
    ...more.map((token) => (typeof token === 'string' ? Buffer.from(token) : Uint8Array.from(token))),
  ];
  return file(all.map((bytes) => written(variant, bytes)));
}

function written(variant: Variant, bytes: Uint8Array): Uint8Array {
  if (variant === 'raw') return bytes;
  if (variant === 'decoded') return Buffer.from(new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes));
  return Buffer.from([...bytes].map((byte) => alphabet.get(byte)!).join(''));
}

const mergesOf = (metadata: Metadata) => {
  const list = metadata.strings('tokenizer.ggml.merges')!;
  return Array.from({ length: list.length }, (_, i) => list.get(i));
};

/** Two of them are made of three parts and four bytes: which two come last is what has to be found. */
const more = ['ab', ' a', 'abab', ' ab', 'é', '<|endoftext|>'];

describe.each(['alphabet', 'decoded', 'raw'] as const)('a small vocabulary, %s', (variant) => {
  test('keys, merges and ids', async () => {
    const metadata = await readTokenizerBin(bytesSource(small(variant, more)));
    const key = (name: string) => `tokenizer.ggml.${name}`;
    expect(metadata.string(key('model'))).toBe('gpt2');
    expect(metadata.string(key('pre'))).toBe('gpt-2');
    expect(metadata.boolean(key('add_bos_token'))).toBe(false);
    expect(metadata.integer(key('bos_token_id'))).toBe(261);
    expect(metadata.integer(key('eos_token_id'))).toBe(261);
    expect([...metadata.integers(key('token_type'))!.slice(255)]).toEqual([1, 1, 1, 1, 1, 1, 3]);
    expect(metadata.strings(key('tokens'))!.get(257)).toBe('Ġa');
    expect(metadata.strings(key('tokens'))!.bytes(220)).toEqual(new TextEncoder().encode('Ġ'));
    expect(mergesOf(metadata)).toEqual(['a b', 'Ġ a', 'ab ab', 'Ġ ab', 'Ã ©']);
    expect(metadata.has('ternlight.note')).toBe(false);
    const tokenizer = createTokenizer(metadata);
    expect(tokenizer.notes).toEqual([]);
    expect([...tokenizer.stopIds]).toEqual([261]);
    expect(tokenizer.encode('abab ab é')).toEqual([258, 259, 220, 260]);
    expect(tokenizer.decode([258, 259, 220, 260])).toBe('abab ab é');
    expect(tokenizer.encode('<|endoftext|>', { special: true })).toEqual([261]);
  });

  test('a stream of unknown length', async () => {
    const metadata = await readTokenizerBin(streamSource(new Blob([small(variant, more)]).stream()));
    expect(mergesOf(metadata).length).toBe(5);
  });
});

test('a vocabulary without an end', async () => {
  const metadata = await readTokenizerBin(bytesSource(small('alphabet', ['ab'])));
  expect(metadata.has('tokenizer.ggml.eos_token_id')).toBe(false);
  expect(createTokenizer(metadata).bosId).toBeUndefined();
});

test('decoded text: what is lost takes no part, but shows as it stands', async () => {
  const lead = [0xe6, 0x97]; // two thirds of a character
  const metadata = await readTokenizerBin(
    bytesSource(small('decoded', [lead, [0x20, ...lead], [...lead, 0xa5], 'ab']), 'tokenizer.bin'),
  );
  expect([...metadata.integers('tokenizer.ggml.token_type')!.slice(256)]).toEqual([5, 5, 1, 1]);
  expect(mergesOf(metadata)).toEqual(['a b']);
  expect(metadata.string('ternlight.note')).toBe(
    'tokenizer: tokenizer.bin holds decoded text: 2 tokens that are not whole characters are lost in it, so that ' +
      'text beyond ASCII and Latin letters is encoded otherwise than in training; use the variant in the byte alphabet',
  );
  const tokenizer = createTokenizer(metadata);
  const idOf = (byte: number) => byteOrder.indexOf(byte);
  expect(tokenizer.encode('日ab')).toEqual([idOf(0xe6), idOf(0x97), idOf(0xa5), 259]);
  expect(tokenizer.decode([258, 259])).toBe('日ab');
  expect(tokenizer.decode([257, 259])).toBe(' \ufffdab');
  expect(tokenizer.encode('\ufffd').every((id) => id < 256)).toBe(true);
  // The same from a file that kept the bytes.
  const whole = await readTokenizerBin(bytesSource(small('raw', [lead, [...lead, 0xa5], 'ab'])));
  expect(createTokenizer(whole).encode('日ab')).toEqual([257, 258]);
});

describe('refusals', () => {
  const cut = small('alphabet', more);
  const swapped = [...byteOrder.keys()].map((id) => byteOrder[id === 5 ? 6 : id === 6 ? 5 : id]!);
  const tokens = (bytes: readonly number[]) => bytes.map((byte) => Uint8Array.of(byte));
  test.each([
    ['nothing', new Uint8Array(0), 'tokenizer.bin: bytes has 0 tokens, expected 257 or more'],
    ['the bytes alone', small('alphabet', []), 'tokenizer.bin: bytes has 256 tokens, expected 257 or more'],
    [
      'a token cut',
      cut.subarray(0, -1),
      `tokenizer.bin: bytes is cut short at ${cut.length - 1} bytes, within token 261`,
    ],
    ['a length cut', cut.subarray(0, -15), `is cut short at ${cut.length - 15} bytes, within token 261`],
    ['an empty token', small('raw', ['ab', '']), 'token 257 has a length of 0 bytes, expected 1 to 1024'],
    ['a long token', small('raw', ['x'.repeat(1025)]), 'token 256 has a length of 1025 bytes, expected 1 to 1024'],
    ['a length of 2^32 - 1', new Uint8Array(300).fill(255), 'token 0 has a length of 4294967295 bytes'],
    ['a large file', new Uint8Array((4 << 20) + 1), 'has 4194305 bytes, expected at most 4194304'],
    [
      'another order',
      file([...tokens(swapped), Uint8Array.of(65, 66)]),
      `token 5 is "'", expected byte 38: the first 256 tokens are not the bytes in GPT-2's order`,
    ],
    [
      'no space where it should be',
      file([...tokens(byteOrder.map((byte) => (byte === 0x20 ? 0x21 : byte))), Uint8Array.of(65, 66)]),
      'token 220 is "!", expected " " or "Ġ"',
    ],
  ])('%s', async (_, bytes, message) => {
    const error = await readTokenizerBin(bytesSource(bytes)).then(
      () => undefined,
      (e: unknown) => e,
    );
    expect(error).toBeInstanceOf(TernlightError);
    expect((error as Error).message).toContain(message);
  });

  test('a stream that is too large', async () => {
    const stream = new Blob([new Uint8Array(9 << 20)]).stream();
    await expect(readTokenizerBin(streamSource(stream))).rejects.toThrow('has more bytes, expected at most 4194304');
  });
});

describe.runIf(largeNames.includes('gpt-2'))("GPT-2's vocabulary", () => {
  /** truth/bitmamba/README.md */
  const published = {
    decoded: [522456, 'b69a463439a424e6259735a7f85cfd79aa7ce8265f43cd2813353f4f09c0ca47'],
    alphabet: [557763, '5f901d365d09a05d666d09f52606a04676dcbac736a3a8aaedb0ed58fec56a96'],
  } as const;
  const bytesOfChar = new Map([...alphabet].map(([byte, char]) => [char, byte]));

  async function gpt2(variant: 'decoded' | 'alphabet'): Promise<Uint8Array<ArrayBuffer>> {
    const tokens = (await largeMetadata('gpt-2')).strings('tokenizer.ggml.tokens')!;
    const all = Array.from({ length: tokens.length }, (_, id) => {
      if (variant === 'alphabet') return tokens.bytes(id);
      return written(
        'decoded',
        Uint8Array.from(tokens.get(id), (char) => bytesOfChar.get(char)!),
      );
    });
    const bytes = file(all);
    expect([bytes.length, createHash('sha256').update(bytes).digest('hex')]).toEqual(published[variant]);
    return bytes;
  }

  interface Case {
    text: string;
    plain: number[];
    special?: number[];
  }
  const cases = () => (JSON.parse(truthText('gpt-2.cases.json')) as { cases: Case[] }).cases;

  test('in the byte alphabet: the merges are those of the GGUF', async () => {
    const metadata = await readTokenizerBin(bytesSource(await gpt2('alphabet')));
    const merges = mergesOf(metadata);
    expect(merges.length).toBe(50000);
    expect(merges).toEqual(mergesOf(await largeMetadata('gpt-2')));
  });

  test('in the byte alphabet: the ids of all texts', async () => {
    const tokenizer = createTokenizer(await readTokenizerBin(bytesSource(await gpt2('alphabet'))));
    expect(tokenizer.vocabSize).toBe(50257);
    expect([...tokenizer.stopIds]).toEqual([50256]);
    expect(tokenizer.encode('Hello, I am')).toEqual([15496, 11, 314, 716]);
    for (const { text, plain, special } of cases()) {
      expect(tokenizer.encode(text), text).toEqual(plain);
      if (special) expect(tokenizer.encode(text, { special: true }), text).toEqual(special);
      expect(tokenizer.decode(plain), text).toBe(text);
    }
    for (const { text, ids } of llamaCppTexts('gpt-2')) expect(tokenizer.encode(text), text).toEqual(ids);
  });

  test('decoded: the ids of texts in ASCII, and others come back as they were', async () => {
    const metadata = await readTokenizerBin(bytesSource(await gpt2('decoded'), 'tokenizer.bin'));
    // 216 are lost; eight more hold a genuine U+FFFD, which cannot be told from a loss.
    expect(metadata.string('ternlight.note')).toContain('224 tokens that are not whole characters are lost');
    expect(metadata.integers('tokenizer.ggml.token_type')!.filter((type) => type === 5).length).toBe(224);
    const tokenizer = createTokenizer(metadata);
    let ascii = 0;
    const texts = [...cases().map(({ text, plain }) => ({ text, ids: plain })), ...llamaCppTexts('gpt-2')];
    for (const { text, ids } of texts) {
      const got = tokenizer.encode(text);
      expect(tokenizer.decode(got), text).toBe(text);
      if (!/^[\0-\x7f]*$/.test(text)) continue;
      ascii++;
      expect(got, text).toEqual(ids);
    }
    expect(ascii).toBeGreaterThan(40);
    expect(tokenizer.encode('naïve café Straße')).toEqual([2616, 38776, 40304, 15195, 39683, 68]);
  });
});
