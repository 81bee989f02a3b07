// SentencePiece vocabularies, written as merges or as its own tokenizer.model -> GGUF's keys.

import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { goldenJson, largeMetadata, largeNames, llamaCppTexts, spm512 } from '../tokenizer/vocabularies.ts';
import { added, byteLevelJson, expectSameIds, read, template, texts } from './hf-tokenizers.ts';
import { concat } from './safetensors-bytes.ts';

interface Pieces {
  tokens: readonly string[];
  scores: ArrayLike<number>;
  token_type: ArrayLike<number>;
}

const spm = goldenJson('spm512.vocab.json') as Pieces & { scores: number[]; token_type: number[] };

/** Every pair of tokens that makes a token, in the order of the scores: as transformers writes a SentencePiece model. */
function pairsOf({ tokens, scores, token_type: types }: Pieces): string[] {
  const idOf = new Map(tokens.map((text, id) => [text, id]));
  const pairs: { score: number; left: number; right: number; text: string }[] = [];
  for (const [id, token] of tokens.entries()) {
    if (types[id] !== 1) continue;
    const characters = [...token];
    for (let cut = 1; cut < characters.length; cut++) {
      const [first, second] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
      const [left, right] = [idOf.get(first), idOf.get(second)];
      if (left === undefined || right === undefined) continue;
      pairs.push({ score: scores[id]!, left, right, text: `${first} ${second}` });
    }
  }
  return pairs.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right).map(({ text }) => text);
}

const prepend = { type: 'Prepend', prepend: '\u2581' };
const replace = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' };

function spmJson(changes: object = {}, pieces: Pieces = spm) {
  return {
    normalizer: { type: 'Sequence', normalizers: [prepend, replace] },
    ...{ pre_tokenizer: null, post_processor: template('<s>'), decoder: { type: 'ByteFallback' } },
    added_tokens: [added('<unk>', 0), added('<s>', 1), added('</s>', 2)],
    model: {
      ...{ type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true },
      vocab: Object.fromEntries(pieces.tokens.map((text, id) => [text, id])),
      merges: pairsOf(pieces),
    },
    ...changes,
  };
}

describe('SentencePiece', () => {
  const settings = {
    bos_token: '<s>',
    eos_token: '</s>',
    unk_token: '<unk>',
    add_bos_token: true,
    add_eos_token: false,
  };

  test('as merges: ids of the scores, and of another implementation', async () => {
    const json = spmJson();
    const metadata = await read({ 'tokenizer.json': json, 'tokenizer_config.json': settings });
    const of = (name: string) => metadata.raw(`tokenizer.ggml.${name}`);
    expect([of('model'), of('pre'), of('add_space_prefix'), of('unknown_token_id')]).toEqual([
      'llama',
      'default',
      true,
      0,
    ]);
    expect([of('bos_token_id'), of('eos_token_id'), of('add_bos_token'), of('add_eos_token')]).toEqual([
      1,
      2,
      true,
      false,
    ]);
    expect([...metadata.integers('tokenizer.ggml.token_type')!]).toEqual(spm.token_type);
    const original = createTokenizer(spm512());
    const ours = createTokenizer(metadata);
    for (const text of texts) expect(ours.encode(text), JSON.stringify(text)).toEqual(original.encode(text));
    // Special tokens inside are another matter: the library puts the space in front of the whole text only. Runs of
    // spaces, too: what stands in front is merged with them there.
    expectSameIds(
      metadata,
      json,
      texts.filter((text) => !/<\/?s>|<unk>/.test(text)),
    );
  });

  test.runIf(largeNames.includes('llama-spm'))("Llama-2's 61249 merges", async () => {
    const real = await largeMetadata('llama-spm');
    const list = real.strings('tokenizer.ggml.tokens')!;
    const pieces = {
      tokens: Array.from({ length: list.length }, (_, id) => list.get(id)),
      scores: real.floats('tokenizer.ggml.scores')!,
      token_type: real.integers('tokenizer.ggml.token_type')!,
    };
    const json = spmJson({}, pieces);
    expect(json.model.merges).toHaveLength(61249);
    const tokenizer = createTokenizer(await read({ 'tokenizer.json': json }));
    for (const { text, ids } of llamaCppTexts('llama-spm')) expect(tokenizer.encode(text, { bos: false })).toEqual(ids);
  });

  test('a space in front or none', async () => {
    const prefix = async (changes: object) =>
      (await read({ 'tokenizer.json': spmJson(changes) })).raw('tokenizer.ggml.add_space_prefix');
    expect(await prefix({ normalizer: replace })).toBe(false);
    const metaspace = (more: object) => ({
      normalizer: null,
      pre_tokenizer: { type: 'Metaspace', replacement: '\u2581', ...more },
    });
    expect(await prefix(metaspace({}))).toBe(true);
    expect(await prefix(metaspace({ prepend_scheme: 'first', split: false }))).toBe(true);
    expect(await prefix(metaspace({ prepend_scheme: 'never' }))).toBe(false);
    expect(await prefix(metaspace({ add_prefix_space: false }))).toBe(false);
    await expect(prefix({ normalizer: { type: 'Precompiled', precompiled_charsmap: '' } })).rejects.toMatchObject({
      code: 'unsupported',
      message: 'tokenizer.json: normalizer: type is "Precompiled", expected Prepend or Replace, of a space by U+2581',
    });
    await expect(prefix(metaspace({ replacement: '_' }))).rejects.toThrow(
      'tokenizer.json: pre_tokenizer: replacement is "_", expected U+2581',
    );
  });
});

// The wire format of protobuf: tags, varints, lengths.

function varint(value: number): Uint8Array {
  const out: number[] = [];
  for (; value >= 128; value = Math.floor(value / 128)) out.push((value % 128) + 128);
  return Uint8Array.from([...out, value]);
}
const tagged = (field: number, kind: number, ...rest: Uint8Array[]) => concat([varint(field * 8 + kind), ...rest]);
const message = (field: number, ...rest: Uint8Array[]) => {
  const body = concat(rest);
  return tagged(field, 2, varint(body.length), body);
};
const text = (field: number, value: string) => message(field, new TextEncoder().encode(value));
const number = (field: number, value: number) => tagged(field, 0, varint(value));
const float = (field: number, value: number) => tagged(field, 5, new Uint8Array(Float32Array.of(value).buffer));

/** @param trainer fields of trainer_spec. @param normalizer of normalizer_spec */
function sentencePiece(
  trainer: Uint8Array[] = [number(3, 2), number(40, 0)],
  normalizer: Uint8Array[] = [],
): Uint8Array {
  const pieces = spm.tokens.map((piece, id) =>
    // Normal pieces do not name their type.
    message(
      1,
      text(1, piece),
      float(2, spm.scores[id]!),
      ...(spm.token_type[id] === 1 ? [] : [number(3, spm.token_type[id]!)]),
    ),
  );
  return concat([...pieces, message(2, text(1, 'input'), ...trainer), message(3, text(1, 'identity'), ...normalizer)]);
}

describe('tokenizer.model', () => {
  test('alone', async () => {
    const metadata = await read({ 'tokenizer.model': sentencePiece() });
    const expected = spm512();
    for (const key of ['model', 'token_type', 'scores']) {
      expect(metadata.raw(`tokenizer.ggml.${key}`), key).toEqual(expected.raw(`tokenizer.ggml.${key}`));
    }
    const list = metadata.strings('tokenizer.ggml.tokens')!;
    expect(Array.from({ length: list.length }, (_, i) => list.get(i))).toEqual(spm.tokens);
    const ours = createTokenizer(metadata);
    const original = createTokenizer(expected);
    for (const value of texts.slice(0, 200)) expect(ours.encode(value)).toEqual(original.encode(value));
    expect(ours.bosId).toBe(1);
  });

  test('tokenizer.json is preferred', async () => {
    const metadata = await read({ 'tokenizer.json': byteLevelJson(), 'tokenizer.model': sentencePiece() });
    expect(metadata.string('tokenizer.ggml.model')).toBe('gpt2');
  });

  test('tokens that were added later, as in the repositories of 1bitLLM', async () => {
    const metadata = await read(
      {
        'tokenizer.model': sentencePiece(),
        'added_tokens.json': { '</line>': 512, '<word>': 513 },
        'special_tokens_map.json': { bos_token: '<s>', eos_token: '</s>', pad_token: '</line>', unk_token: '<unk>' },
        'tokenizer_config.json': {
          add_bos_token: false,
          added_tokens_decoder: { 0: { content: '<unk>', special: true }, 514: { content: '<tool>', special: true } },
        },
      },
      { eos_token_id: 2 },
    );
    const types = metadata.integers('tokenizer.ggml.token_type')!;
    const list = metadata.strings('tokenizer.ggml.tokens')!;
    expect([512, 513, 514].map((id) => [list.get(id), types[id]])).toEqual([
      ['</line>', 3],
      ['<word>', 4],
      ['<tool>', 3],
    ]);
    expect(types[0]).toBe(2);
    expect(metadata.floats('tokenizer.ggml.scores')).toHaveLength(515);
    expect(metadata.integer('tokenizer.ggml.padding_token_id')).toBe(512);
    expect(metadata.boolean('tokenizer.ggml.add_bos_token')).toBe(false);
  });

  test('without a space in front', async () => {
    const metadata = await read({ 'tokenizer.model': sentencePiece(undefined, [number(3, 0)]) });
    expect(metadata.boolean('tokenizer.ggml.add_space_prefix')).toBe(false);
  });

  const whole = sentencePiece();
  test.each<[string, Uint8Array, string, string]>([
    [
      'unigram',
      sentencePiece([number(3, 1)]),
      'unsupported',
      "it is a unigram model, expected BPE; add the repository's tokenizer.json",
    ],
    [
      'unigram by default',
      sentencePiece([]),
      'unsupported',
      "it is a unigram model, expected BPE; add the repository's tokenizer.json",
    ],
    [
      'normalised',
      sentencePiece(undefined, [text(2, 'xyz')]),
      'unsupported',
      "it has a map of characters to normalise, which is not done; add the repository's tokenizer.json",
    ],
    ['cut short', whole.subarray(0, 11), 'invalid-file', 'is damaged at byte 2 of a message'],
    [
      'of other things',
      number(7, 1),
      'invalid-file',
      "is not a SentencePiece model; add the repository's tokenizer.json",
    ],
    ['text', new TextEncoder().encode('yes'), 'invalid-file', 'is damaged at byte 1 of a message'],
    [
      'a piece of no kind',
      concat([message(1, text(1, 'a'), number(3, 9)), whole]),
      'invalid-file',
      'a piece is of type 9, expected 1 to 6',
    ],
    [
      'a varint without end',
      concat([Uint8Array.of(8), new Uint8Array(12).fill(255)]),
      'invalid-file',
      'is damaged at byte 12 of a message',
    ],
    ['empty', new Uint8Array(0), 'invalid-file', "is not a SentencePiece model; add the repository's tokenizer.json"],
  ])('refused: %s', async (_, bytes, code, message) => {
    await expect(read({ 'tokenizer.model': bytes })).rejects.toMatchObject({
      code,
      message: `tokenizer.model: ${message}`,
    });
  });
});
