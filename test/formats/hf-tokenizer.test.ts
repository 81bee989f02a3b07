// tokenizer.json of byte-level BPE and the files around it -> GGUF's keys; ids against another implementation that reads
// the same tokenizer.json.

import { describe, expect, test } from 'vitest';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { bpe512 } from '../tokenizer/vocabularies.ts';
import {
  added,
  bos,
  byteLevelJson,
  bytes,
  cases,
  control,
  eos,
  eot,
  expectSameIds,
  gpt2,
  llama3,
  merges,
  read,
  sequence,
  spelled,
  split,
  template,
  texts,
  tokens,
  vocab,
} from './hf-tokenizers.ts';

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
    const fair = texts.filter((text) => {
      // The library cuts by ByteLevel first, then into digits that are no longer Unicode's: ASCII is the same to both.
      if (pre === 'falcon') return /^[ -~]*$/.test(text) && !/[$+<=>^~|`]/.test(text);
      // Its own patterns take JavaScript's idea of a space and of a digit, the tokenizers in Rust take Unicode's.
      if (name === 'SmolLM' && /(?![0-9])\p{N}/u.test(text)) return false;
      return !/^(SmolLM|GPT-2|GPT-2, by default)$/.test(name) || !/[\ufeff\u0085]/.test(text);
    });
    expect(fair.length).toBeGreaterThan(100);
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
    ['no JSON', '{"a"', 'tokenizer.json: is not JSON; it is cut short or damaged: download it again'],
    [
      'not fetched',
      'version https://git-lfs.github.com/spec/v1\noid sha256:0',
      'tokenizer.json: is not JSON: it looks like a Git LFS pointer; fetch the file itself (git lfs pull)',
    ],
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
  ])('damaged: %s', async (_, json, message) => {
    await expect(read({ 'tokenizer.json': json })).rejects.toMatchObject({ code: 'invalid-file', message });
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
