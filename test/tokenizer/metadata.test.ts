// What createTokenizer makes of the keys: choices, notes and refusals.

import { describe, expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import type { Metadata } from '../../src/formats/types.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { bpe512, goldenJson, largeMetadata, largeNames, metadataOf, spm512, stringList } from './vocabularies.ts';

function refusal(metadata: Metadata): string {
  try {
    createTokenizer(metadata);
  } catch (error) {
    if (error instanceof TernlightError) return `${error.code}: ${error.message}`;
    throw error;
  }
  return 'none';
}

describe('refused', () => {
  const types = goldenJson('bpe512.json').token_type as number[];
  const key = 'tokenizer.ggml.';
  const cases: [Metadata, string][] = [
    [metadataOf({}), `invalid-file: tokenizer: ${key}model is missing, expected "gpt2" or "llama"`],
    [
      bpe512({ model: 'bert' }),
      `unsupported: tokenizer: ${key}model is "bert", expected "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)`,
    ],
    [bpe512({ tokens: undefined }), `invalid-file: tokenizer: ${key}tokens is missing`],
    [bpe512({ tokens: [] }), `invalid-file: tokenizer: ${key}tokens is empty, expected a token at least`],
    [bpe512({ merges: undefined }), `invalid-file: tokenizer: ${key}merges is missing`],
    [
      bpe512({ token_type: types.slice(1) }),
      `invalid-file: tokenizer: ${key}token_type has 511 elements, expected 512, one for each token`,
    ],
    [
      bpe512({ token_type: types.with(5, 9) }),
      `invalid-file: tokenizer: ${key}token_type has 9 for token 5, expected 0 to 6`,
    ],
    [
      bpe512({ eos_token_id: 512 }),
      `invalid-file: tokenizer: ${key}eos_token_id is 512, expected an id below 512, the number of tokens`,
    ],
    [
      bpe512({ bos_token_id: -1 }),
      `invalid-file: tokenizer: ${key}bos_token_id is -1, expected an id below 512, the number of tokens`,
    ],
    [spm512({ scores: undefined }), `invalid-file: tokenizer: ${key}scores is missing`],
    [
      spm512({ scores: [1, 2] }),
      `invalid-file: tokenizer: ${key}scores has 2 elements, expected 512, one for each token`,
    ],
  ];
  test.each(cases)('%#', (metadata, expected) => {
    expect(refusal(metadata)).toBe(expected);
  });
});

describe('the pre-tokenizer', () => {
  // Llama-3's pattern takes three digits and a newline behind a full stop, the fallback does not.
  const probe = 'a 12345.\n';
  const ids = (changes: Record<string, unknown>) => createTokenizer(bpe512(changes)).encode(probe, { bos: false });
  const notes = (changes: Record<string, unknown>) => createTokenizer(bpe512(changes)).notes;

  test('missing: the fallback, but llama-bpe for BitNet files', () => {
    const missing = { pre: undefined };
    expect(ids(missing)).toEqual(ids({ pre: 'default' }));
    expect(ids(missing)).not.toEqual(ids({}));
    expect(notes(missing)).toEqual(['tokenizer.ggml.pre is missing; default is used']);
    for (const architecture of ['bitnet-b1.58', 'bitnet-25']) {
      const bitnet = { pre: undefined, 'general.architecture': architecture };
      expect(ids(bitnet)).toEqual(ids({}));
      expect(notes(bitnet)).toEqual(['tokenizer.ggml.pre is missing; llama-bpe is used']);
      expect(createTokenizer(bpe512(bitnet)).addsBos).toBe(true);
    }
  });

  test('missing: llama-bpe for the vocabulary of Llama-3', () => {
    const tokens = Array.from({ length: 128256 }, (_, id) => (id === 128000 ? '<|begin_of_text|>' : `${id}`));
    const metadata = metadataOf({ model: 'gpt2', tokens, merges: [], token_type: tokens.map(() => 1) });
    expect(createTokenizer(metadata).notes).toContain('tokenizer.ggml.pre is missing; llama-bpe is used');
  });

  test('unknown: llama-bpe', () => {
    expect(ids({ pre: 'quite-new' })).toEqual(ids({}));
    expect(notes({ pre: 'quite-new' })).toEqual([
      'tokenizer.ggml.pre is "quite-new", which is not known; llama-bpe is used',
    ]);
  });
});

describe('beginning of text', () => {
  const adds = (metadata: Metadata) => createTokenizer(metadata).addsBos;

  test('the key decides', () => {
    expect(adds(bpe512({ add_bos_token: false }))).toBe(false);
    expect(adds(bpe512({ pre: 'qwen2', add_bos_token: true }))).toBe(true);
    expect(adds(spm512({ add_bos_token: false }))).toBe(false);
  });

  test('without the key: SentencePiece and the Llama-3 family, where there is such a token', () => {
    expect(adds(spm512({ add_bos_token: undefined }))).toBe(true);
    for (const pre of ['llama-bpe', 'falcon3', 'falcon_e']) expect(adds(bpe512({ pre }))).toBe(true);
    for (const pre of ['qwen2', 'gpt-2', 'falcon', 'default']) expect(adds(bpe512({ pre }))).toBe(false);
    expect(adds(bpe512({ pre: 'falcon3', bos_token_id: undefined }))).toBe(false);
  });

  test('asked for, but no token: a note', () => {
    const tokenizer = createTokenizer(bpe512({ add_bos_token: true, bos_token_id: undefined }));
    expect(tokenizer.addsBos).toBe(false);
    expect(tokenizer.notes).toEqual([
      'tokenizer.ggml.add_bos_token is true but tokenizer.ggml.bos_token_id is missing; none is added',
    ]);
    expect(tokenizer.encode('a')).toEqual([64]);
  });

  test('SentencePiece files that name no ids', () => {
    const tokenizer = createTokenizer(spm512({ bos_token_id: undefined, eos_token_id: undefined }));
    expect([tokenizer.bosId, tokenizer.eosId]).toEqual([1, 2]);
  });
});

describe('end of text', () => {
  test('declared ids and special tokens whose text says it', () => {
    const stops = (changes: Record<string, unknown>) => [...createTokenizer(bpe512(changes)).stopIds].sort();
    expect(stops({})).toEqual([510, 511]);
    expect(stops({ eos_token_id: undefined, eot_token_id: undefined })).toEqual([510, 511]);
    expect(stops({ eom_token_id: 7 })).toEqual([510, 511, 7]);
  });

  test('an ordinary token with such a text does not count', () => {
    const metadata = metadataOf({ model: 'gpt2', pre: 'gpt-2', tokens: ['</s>', 'a'], merges: [], token_type: [1, 1] });
    const tokenizer = createTokenizer(metadata);
    expect(tokenizer.stopIds.size).toBe(0);
    expect(tokenizer.notes).toContain('no token ends a text; generation stops at its limits only');
  });

  test.runIf(largeNames.length > 0)('of the real vocabularies', async () => {
    const stops = async (name: (typeof largeNames)[number]) => [...createTokenizer(await largeMetadata(name)).stopIds];
    expect(await stops('llama-3')).toEqual([128001, 128009]);
    expect(await stops('llama-spm')).toEqual([2]);
    expect(await stops('gpt-2')).toEqual([50256]);
    expect(await stops('qwen2')).toEqual([151645, 151643]);
  });
});

test('without token types the declared ids are control tokens', () => {
  const tokenizer = createTokenizer(bpe512({ token_type: undefined }));
  expect([508, 509, 510, 511].map((id) => tokenizer.isControl(id))).toEqual([false, true, true, true]);
  expect(tokenizer.notes).toEqual(['tokenizer.ggml.token_type is missing; control tokens are the declared ones only']);
});

test('tokens that are not UTF-8 or come twice do no harm', () => {
  const list = stringList(['a', 'a', 'b', '']);
  const broken = { ...list, bytes: (id: number) => (id === 3 ? Uint8Array.of(0xc4, 0xff) : list.bytes(id)) };
  const plain = metadataOf({ model: 'gpt2', pre: 'gpt-2', merges: [], token_type: [1, 1, 1, 1] });
  const strings = (key: string) => (key === 'tokenizer.ggml.tokens' ? broken : plain.strings(key));
  const metadata: Metadata = Object.assign(Object.create(plain), { strings });
  const tokenizer = createTokenizer(metadata);
  expect(tokenizer.encode('ab')).toEqual([0, 2]);
  expect(tokenizer.decode([0, 1, 2, 3])).toBe('aab\ufffd\ufffd');
});
