// tokenizer.json, tokenizer.model and the files around them -> GGUF's keys; ids against another implementation that
// reads the same tokenizer.json.

import { Tokenizer as Library } from '@huggingface/tokenizers';
import { describe, expect, test } from 'vitest';
import { JsonObject } from '../../src/formats/hf-json.ts';
import { MetadataBuilder } from '../../src/formats/hf-metadata.ts';
import { tokenizerEntries } from '../../src/formats/hf-tokenizer.ts';
import type { MetadataMap } from '../../src/formats/metadata.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/tokenizer/utf8.ts';
import { Random } from '../ref/random.ts';
import { randomText } from '../tokenizer/strings.ts';
import { bpe512, goldenJson, spm512 } from '../tokenizer/vocabularies.ts';
import { concat, memoryFiles } from './safetensors-bytes.ts';

/** @param config config.json's part. @param generation generation_config.json's */
async function read(files: Record<string, unknown>, config: object = {}, generation?: object): Promise<MetadataMap> {
  const builder = new MetadataBuilder();
  const set = memoryFiles(files);
  const settings = generation && JsonObject.of('generation_config.json', generation);
  await tokenizerEntries(set, JsonObject.of('config.json', config), settings, builder);
  expect(set.open_.size).toBe(0);
  return builder.done();
}

const {
  tokens,
  merges,
  token_type: types,
  cases,
} = goldenJson('bpe512.json') as {
  tokens: string[];
  merges: string[];
  token_type: number[];
  cases: { text: string; ids: number[] }[];
};
const added = (content: string, id: number, special = true) => ({
  ...{ id, content, special, normalized: !special, single_word: false, lstrip: false, rstrip: false },
});
const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
const spelled = llama3.replace(/^[^|]*(\|'[^|]*)*\)/, "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])");
const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
const split = (Regex: string, more: object = {}) => ({
  ...{ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
  ...more,
});
const bytes = (more: object = {}) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
  ...more,
});
const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });
const template = (first: string) => ({
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: first, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [],
  special_tokens: { [first]: { id: first, ids: [509], tokens: [first] } },
});

const vocab = Object.fromEntries(tokens.flatMap((text, id) => (types[id] === 1 ? [[text, id]] : [])));
const control = tokens.flatMap((text, id) => (types[id] === 3 ? [added(text, id)] : []));
const [bos, eos, eot] = [509, 510, 511].map((id) => tokens[id]!);

/** @param model changes to the file's model */
function byteLevelJson(changes: object = {}, model: object = {}) {
  return {
    ...{ version: '1.0', truncation: null, padding: null, normalizer: null, post_processor: null, decoder: bytes() },
    added_tokens: control,
    pre_tokenizer: sequence(split(llama3), bytes()),
    model: { type: 'BPE', unk_token: null, byte_fallback: false, ignore_merges: true, vocab, merges, ...model },
    ...changes,
  };
}

function expectSameIds(metadata: MetadataMap, json: object, texts: readonly string[]): void {
  const ours = createTokenizer(metadata);
  const library = new Library(json as never, { clean_up_tokenization_spaces: false } as never);
  for (const text of texts) {
    // Lone surrogates are U+FFFD to both sides.
    const expected = text === '' ? [] : library.encode(decodeUtf8(encodeUtf8(text)), { add_special_tokens: false }).ids;
    const got = ours.encode(text, { bos: false, special: true });
    if (got.join() !== expected.join()) expect(got, JSON.stringify(text)).toEqual(expected);
  }
}

const random = new Random(512);
const texts = [
  ...Array.from({ length: 1500 }, () => randomText(random, 24)),
  "Hello 12345 world's  end...\n\n  Tab\tX I'LL \u00e9t\u00e9 \u65e5\u672c\u8a9e #1!",
  `a${bos}b ${eot}${eos}`,
  '1234567 3.14159 don\u2019t 00 \u0661\u0662\u0663\u0664',
];

describe('byte-level BPE', () => {
  test('is the vocabulary of the golden GGUF files', async () => {
    const metadata = await read({ 'tokenizer.json': byteLevelJson() }, { bos_token_id: 509, eos_token_id: [510, 511] });
    const expected = bpe512();
    for (const key of ['model', 'pre', 'bos_token_id', 'eos_token_id', 'eot_token_id', 'token_type']) {
      expect(metadata.raw(`tokenizer.ggml.${key}`), key).toEqual(expected.raw(`tokenizer.ggml.${key}`));
    }
    for (const key of ['tokens', 'merges']) {
      const list = metadata.strings(`tokenizer.ggml.${key}`)!;
      expect(Array.from({ length: list.length }, (_, i) => list.get(i))).toEqual(key === 'tokens' ? tokens : merges);
    }
    const tokenizer = createTokenizer(metadata);
    for (const { text, ids } of cases) expect(tokenizer.encode(text, { bos: false, special: true })).toEqual(ids);
    expect([...tokenizer.stopIds].sort()).toEqual([510, 511]);
    expect(tokenizer.notes).toEqual([]);
  });

  const cased: [string, string, object, object?][] = [
    ['Llama-3', 'llama-bpe', { pre_tokenizer: sequence(split(llama3), bytes()) }],
    ['Llama-3, spelled out', 'llama-bpe', { pre_tokenizer: sequence(split(spelled), bytes()) }],
    [
      'Llama-3, the other way round',
      'llama-bpe',
      { pre_tokenizer: sequence(split(llama3, { behavior: 'Removed', invert: true }), bytes()) },
    ],
    [
      'Qwen2',
      'qwen2',
      { normalizer: { type: 'NFC' }, pre_tokenizer: sequence(split(llama3.replace('{1,3}', '')), bytes()) },
      { ignore_merges: false },
    ],
    ['GPT-2', 'gpt-2', { pre_tokenizer: bytes({ use_regex: true }) }, { ignore_merges: false }],
    ['GPT-2, by default', 'gpt-2', { pre_tokenizer: bytes({ use_regex: undefined }) }, { ignore_merges: false }],
    ['GPT-2, written out', 'gpt-2', { pre_tokenizer: sequence(split(gpt2), bytes()) }, { ignore_merges: false }],
    [
      'SmolLM',
      'smollm',
      { pre_tokenizer: sequence({ type: 'Digits', individual_digits: true }, bytes({ use_regex: true })) },
      { ignore_merges: false },
    ],
    [
      'Falcon',
      'falcon',
      {
        pre_tokenizer: sequence(
          { type: 'Punctuation', behavior: 'Contiguous' },
          bytes({ use_regex: true }),
          { type: 'Digits', individual_digits: false },
          split('[0-9][0-9][0-9]'),
        ),
      },
      { ignore_merges: false },
    ],
  ];
  test.each(cased)('the patterns of %s', async (name, pre, changes, model) => {
    const json = byteLevelJson(changes, model);
    const metadata = await read({ 'tokenizer.json': json });
    expect(metadata.string('tokenizer.ggml.pre')).toBe(pre);
    // The library cuts by ByteLevel first, then into digits that are no longer Unicode's: ASCII is the same to both.
    const fair = pre === 'falcon' ? texts.filter((text) => /^[ -~]*$/.test(text) && !/[$+<=>^~|`]/.test(text)) : texts;
    if (name !== 'Llama-3, the other way round') expectSameIds(metadata, json, fair);
  });

  test('merges as pairs, among them one with a space', async () => {
    const pairs = merges.map((merge) => merge.split(' '));
    const metadata = await read({ 'tokenizer.json': byteLevelJson({}, { merges: pairs }) });
    const list = metadata.strings('tokenizer.ggml.merges')!;
    expect(Array.from({ length: list.length }, (_, i) => list.get(i))).toEqual(merges);
  });

  test('added tokens: those in the vocabulary too, those for users, holes', async () => {
    const json = byteLevelJson(
      { added_tokens: [...control, added('hello there', 515, false), added('!', 0)] },
      { vocab: { ...vocab, '<extra>': 513 } },
    );
    const metadata = await read({ 'tokenizer.json': json });
    const list = metadata.strings('tokenizer.ggml.tokens')!;
    const kinds = metadata.integers('tokenizer.ggml.token_type')!;
    expect(Array.from({ length: 5 }, (_, i) => [list.get(511 + i), kinds[511 + i]])).toEqual([
      [eot, 3],
      ['[PAD512]', 5],
      ['<extra>', 1],
      ['[PAD514]', 5],
      ['hello there', 4],
    ]);
    expect(list.length).toBe(516);
    expect(kinds[0]).toBe(3);
    const tokenizer = createTokenizer(metadata);
    expect(tokenizer.encode('hello there', { bos: false })).toEqual([515]);
  });

  const wordPiece = { model: { type: 'WordPiece', vocab, merges } };
  test.each<[string, object, string]>([
    [
      'another pattern',
      { pre_tokenizer: sequence(split('\\w+|\\W+'), bytes()) },
      'tokenizer.json: pre_tokenizer is Split, ByteLevel with the pattern "\\\\w+|\\\\W+", which is not known; expected that of Llama-3, Qwen2, GPT-2, SmolLM or Falcon',
    ],
    [
      'another step',
      { pre_tokenizer: sequence({ type: 'Whitespace' }, bytes()) },
      'tokenizer.json: pre_tokenizer is Whitespace, ByteLevel, which is not known; expected that of Llama-3, Qwen2, GPT-2, SmolLM or Falcon',
    ],
    [
      'a space in front',
      { pre_tokenizer: bytes({ use_regex: true, add_prefix_space: true }) },
      'tokenizer.json: pre_tokenizer: add_prefix_space is true, expected false',
    ],
    [
      'a normaliser',
      { normalizer: { type: 'Lowercase' } },
      'tokenizer.json: normalizer: type is "Lowercase", expected "NFC"',
    ],
    ['another model', wordPiece, 'tokenizer.json: model: type is "WordPiece", expected "BPE"'],
    [
      'no pre-tokenizer',
      { pre_tokenizer: null },
      'tokenizer.json: pre_tokenizer is missing, expected one with ByteLevel or Metaspace',
    ],
    [
      'words by spaces',
      { pre_tokenizer: { type: 'Whitespace' } },
      'tokenizer.json: pre_tokenizer: type is "Whitespace", expected "Metaspace"',
    ],
    [
      "CLIP's ends of words",
      { model: { type: 'BPE', vocab, merges, end_of_word_suffix: '</w>' } },
      'tokenizer.json: model: end_of_word_suffix is "</w>", expected none',
    ],
  ])('refused: %s', async (_, changes, message) => {
    await expect(read({ 'tokenizer.json': byteLevelJson(changes) })).rejects.toMatchObject({
      code: 'unsupported',
      message,
    });
  });

  test.each<[string, unknown, string]>([
    ['no JSON', '{"a"', 'tokenizer.json: is not JSON: '],
    ['no model', {}, 'tokenizer.json: model is missing, expected an object'],
    [
      'no vocabulary',
      byteLevelJson({}, { vocab: null }),
      'tokenizer.json: model: vocab is missing, expected an object',
    ],
    ['an empty vocabulary', byteLevelJson({ added_tokens: [] }, { vocab: {} }), 'tokenizer.json: has no tokens'],
    [
      'an id that is none',
      byteLevelJson({}, { vocab: { a: 1.5 } }),
      'tokenizer.json: "a" has id 1.5, expected an integer from 0 to 4194303',
    ],
    [
      'an id too large',
      byteLevelJson({}, { vocab: { a: 2 ** 40 } }),
      'tokenizer.json: "a" has id 1099511627776, expected an integer from 0 to 4194303',
    ],
    ['an id twice', byteLevelJson({}, { vocab: { a: 1, b: 1 } }), 'tokenizer.json: "a" and "b" have the same id 1'],
    [
      'a merge of one',
      byteLevelJson({}, { merges: ['a b', 'ab'] }),
      'tokenizer.json: model: merge 1 is "ab", expected "left right" or two strings',
    ],
    [
      'a merge of three',
      byteLevelJson({}, { merges: [['a', 'b', 'c']] }),
      'tokenizer.json: model: merge 0 is ["a","b","c"], expected "left right" or two strings',
    ],
    [
      'an added token without text',
      byteLevelJson({ added_tokens: [{ id: 5 }] }),
      'tokenizer.json: added_tokens: content is missing, expected a string',
    ],
  ])('damaged: %s', async (name, json, message) => {
    const failed = read({ 'tokenizer.json': json });
    await expect(failed).rejects.toMatchObject({ code: 'invalid-file' });
    if (name === 'no JSON') await expect(failed).rejects.toThrow(message);
    else await expect(failed).rejects.toMatchObject({ message });
  });
});

describe('special ids', () => {
  const ids = async (files: Record<string, unknown>, config: object = {}, generation?: object) => {
    const metadata = await read({ 'tokenizer.json': byteLevelJson(), ...files }, config, generation);
    const of = (name: string) => metadata.raw(`tokenizer.ggml.${name}`);
    return {
      ...{ bos: of('bos_token_id'), eos: of('eos_token_id'), eot: of('eot_token_id'), eom: of('eom_token_id') },
      ...{ pad: of('padding_token_id'), addsBos: of('add_bos_token'), addsEos: of('add_eos_token') },
    };
  };
  const none = { addsBos: false, addsEos: false };

  test('none', async () => expect(await ids({})).toEqual(none));

  test('by name, as text or object, before those of config.json', async () => {
    const config = { bos_token_id: 1, eos_token_id: [511], pad_token_id: -1 };
    const settings = { bos_token: bos, eos_token: { content: eos, special: true }, pad_token: eot };
    const expected = { bos: 509, eos: 510, eot: 511, pad: 511, addsBos: true, addsEos: false };
    expect(await ids({ 'tokenizer_config.json': settings }, config)).toEqual(expected);
    expect(await ids({ 'special_tokens_map.json': settings }, config)).toEqual(expected);
    expect(await ids({ 'tokenizer_config.json': { bos_token: null, eos_token: null } }, { eos_token_id: 510 })).toEqual(
      { ...none, eos: 510 },
    );
  });

  test('all that end a text, each once', async () => {
    const generation = { eos_token_id: [510, 511, 3] };
    expect(await ids({}, { eos_token_id: 510 }, generation)).toEqual({ ...none, eos: 510, eot: 511, eom: 3 });
    const settings = { eos_token: eot };
    expect(await ids({ 'tokenizer_config.json': settings }, { eos_token_id: 510 }, { eos_token_id: 510 })).toEqual({
      ...none,
      eos: 511,
      eot: 510,
    });
  });

  test.each<[unknown]>([[512], [-1], ['510'], [[510, 999]], [1.5]])('%j is no id', async (id) => {
    await expect(ids({}, { eos_token_id: id })).rejects.toMatchObject({
      code: 'invalid-file',
      message: `config.json: eos_token_id is ${JSON.stringify(id)}, expected ids of tokens, of which there are 512`,
    });
  });

  const adds = async (json: object, settings: object, config: object = { bos_token_id: 509 }) =>
    (await ids({ 'tokenizer.json': json, 'tokenizer_config.json': settings }, config)).addsBos;

  test('what begins a text', async () => {
    const plain = byteLevelJson();
    const templated = byteLevelJson({ post_processor: { type: 'Sequence', processors: [bytes(), template(bos!)] } });
    expect(await adds(templated, {})).toBe(true);
    expect(await adds(templated, { bos_token: bos })).toBe(true);
    expect(await adds(templated, { bos_token: bos, add_bos_token: false })).toBe(false);
    expect(await adds(plain, { bos_token: bos, add_bos_token: true })).toBe(true);
    // Another token in front is none of ours.
    expect(await adds(byteLevelJson({ post_processor: template(eot!) }), { bos_token: bos })).toBe(false);
    // Without a word: Llama-3's first files; Falcon3 names its end as its beginning in config.json and adds nothing.
    expect(await adds(plain, { bos_token: bos })).toBe(true);
    expect(await adds(plain, {})).toBe(false);
    expect(await adds(byteLevelJson({ pre_tokenizer: bytes({ use_regex: true }) }), { bos_token: bos })).toBe(false);
    expect(await adds(plain, { add_bos_token: true }, {})).toBe(false);
  });

  test('what ends a text', async () => {
    const single = [{ Sequence: { id: 'A' } }, { SpecialToken: { id: eos } }];
    const json = byteLevelJson({ post_processor: { type: 'TemplateProcessing', single } });
    expect(await ids({ 'tokenizer.json': json })).toEqual({ addsBos: false, addsEos: true });
    expect(await ids({ 'tokenizer.json': json, 'tokenizer_config.json': { add_eos_token: false } })).toEqual(none);
  });
});

describe('chat templates', () => {
  const chat = async (files: Record<string, unknown>) =>
    (await read({ 'tokenizer.json': byteLevelJson(), ...files })).raw('tokenizer.chat_template');

  test('from wherever they are', async () => {
    expect(await chat({})).toBeUndefined();
    expect(await chat({ 'tokenizer_config.json': { chat_template: 'A' } })).toBe('A');
    const named = [
      { name: 'tool_use', template: 'T' },
      { name: 'default', template: 'D' },
    ];
    expect(await chat({ 'tokenizer_config.json': { chat_template: named } })).toBe('D');
    expect(await chat({ 'tokenizer_config.json': { chat_template: named.slice(0, 1) } })).toBe('T');
    expect(await chat({ 'tokenizer_config.json': { chat_template: [] } })).toBeUndefined();
    expect(
      await chat({ 'chat_template.json': { chat_template: 'C' }, 'tokenizer_config.json': { chat_template: 'A' } }),
    ).toBe('C');
    expect(await chat({ 'chat_template.jinja': '{{ J }}', 'chat_template.json': { chat_template: 'C' } })).toBe(
      '{{ J }}',
    );
    expect(await chat({ 'chat_template.jinja': '<!DOCTYPE html><title>404</title>' })).toBeUndefined();
  });

  test('that are none', async () => {
    await expect(chat({ 'tokenizer_config.json': { chat_template: 5 } })).rejects.toThrow(
      'tokenizer_config.json: chat_template is 5, expected a string',
    );
    await expect(chat({ 'tokenizer_config.json': { chat_template: ['A'] } })).rejects.toThrow(
      'tokenizer_config.json: chat_template: is "A", expected an object',
    );
  });
});

const spm = goldenJson('spm512.vocab.json') as { tokens: string[]; scores: number[]; token_type: number[] };

/** Every pair of tokens that makes a token, in the order of the scores: as transformers writes a SentencePiece model. */
function pairsOf(): string[] {
  const idOf = new Map(spm.tokens.map((text, id) => [text, id]));
  const pairs: { score: number; left: number; right: number; text: string }[] = [];
  for (const [id, token] of spm.tokens.entries()) {
    if (spm.token_type[id] !== 1) continue;
    const characters = [...token];
    for (let cut = 1; cut < characters.length; cut++) {
      const [first, second] = [characters.slice(0, cut).join(''), characters.slice(cut).join('')];
      const [left, right] = [idOf.get(first), idOf.get(second)];
      if (left !== undefined && right !== undefined)
        pairs.push({ score: spm.scores[id]!, left, right, text: `${first} ${second}` });
    }
  }
  return pairs.sort((a, b) => b.score - a.score || a.left - b.left || a.right - b.right).map(({ text }) => text);
}

const prepend = { type: 'Prepend', prepend: '\u2581' };
const replace = { type: 'Replace', pattern: { String: ' ' }, content: '\u2581' };

function spmJson(changes: object = {}) {
  return {
    normalizer: { type: 'Sequence', normalizers: [prepend, replace] },
    ...{ pre_tokenizer: null, post_processor: template('<s>'), decoder: { type: 'ByteFallback' } },
    added_tokens: [added('<unk>', 0), added('<s>', 1), added('</s>', 2)],
    model: {
      ...{ type: 'BPE', unk_token: '<unk>', fuse_unk: true, byte_fallback: true },
      vocab: Object.fromEntries(spm.tokens.map((text, id) => [text, id])),
      merges: pairsOf(),
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
    ['cut short', whole.subarray(0, 700), 'invalid-file', 'is damaged at byte 698 of a message'],
    ['not protobuf', new TextEncoder().encode('IQ== 0\nIg== 1\n'), 'invalid-file', 'is damaged at byte 1 of a message'],
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
      'is damaged at byte 11 of a message',
    ],
    [
      'empty',
      new Uint8Array(0),
      'unsupported',
      "it is a unigram model, expected BPE; add the repository's tokenizer.json",
    ],
  ])('refused: %s', async (_, bytes, code, message) => {
    await expect(read({ 'tokenizer.model': bytes })).rejects.toMatchObject({
      code,
      message: `tokenizer.model: ${message}`,
    });
  });
});
