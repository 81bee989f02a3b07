// Files of tokenizers put together by hand, read, and compared with another implementation that reads the same.

import { Tokenizer as Library } from '@huggingface/tokenizers';
import { expect } from 'vitest';
import { JsonObject } from '../../src/formats/hf-json.ts';
import { MetadataBuilder } from '../../src/formats/hf-metadata.ts';
import { tokenizerEntries } from '../../src/formats/hf-tokenizer.ts';
import type { MetadataMap } from '../../src/formats/metadata.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { decodeUtf8, encodeUtf8 } from '../../src/tokenizer/utf8.ts';
import { Random } from '../ref/random.ts';
import { randomText } from '../tokenizer/strings.ts';
import { goldenJson } from '../tokenizer/vocabularies.ts';
import { memoryFiles } from './safetensors-bytes.ts';

/** @param config config.json's part. @param generation generation_config.json's */
export async function read(
  files: Record<string, unknown>,
  config: object = {},
  generation?: object,
): Promise<MetadataMap> {
  const builder = new MetadataBuilder();
  const set = memoryFiles(files);
  const settings = generation && JsonObject.of('generation_config.json', generation);
  await tokenizerEntries(set, JsonObject.of('config.json', config), settings, builder);
  expect(set.open_.size).toBe(0);
  return builder.done();
}
export const {
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

export const added = (content: string, id: number, special = true) => ({
  ...{ id, content, special, normalized: !special, single_word: false, lstrip: false, rstrip: false },
});
export const llama3 =
  "(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|\\p{N}{1,3}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+";
export const spelled = llama3.replace(
  /^[^|]*(\|'[^|]*)*\)/,
  "(?:'[sS]|'[tT]|'[rR][eE]|'[vV][eE]|'[mM]|'[lL][lL]|'[dD])",
);
export const gpt2 = "'s|'t|'re|'ve|'m|'ll|'d| ?\\p{L}+| ?\\p{N}+| ?[^\\s\\p{L}\\p{N}]+|\\s+(?!\\S)|\\s+";
export const split = (Regex: string, more: object = {}) => ({
  ...{ type: 'Split', pattern: { Regex }, behavior: 'Isolated', invert: false },
  ...more,
});
export const bytes = (more: object = {}) => ({
  type: 'ByteLevel',
  add_prefix_space: false,
  trim_offsets: true,
  use_regex: false,
  ...more,
});
export const sequence = (...pretokenizers: object[]) => ({ type: 'Sequence', pretokenizers });
export const template = (first: string) => ({
  type: 'TemplateProcessing',
  single: [{ SpecialToken: { id: first, type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
  pair: [],
  special_tokens: { [first]: { id: first, ids: [509], tokens: [first] } },
});

export const vocab = Object.fromEntries(tokens.flatMap((text, id) => (types[id] === 1 ? [[text, id]] : [])));
export const control = tokens.flatMap((text, id) => (types[id] === 3 ? [added(text, id)] : []));
export const [bos, eos, eot] = [509, 510, 511].map((id) => tokens[id]!);

/** @param model changes to the file's model */
export function byteLevelJson(changes: object = {}, model: object = {}) {
  return {
    ...{ version: '1.0', truncation: null, padding: null, normalizer: null, post_processor: null, decoder: bytes() },
    added_tokens: control,
    pre_tokenizer: sequence(split(llama3), bytes()),
    model: { type: 'BPE', unk_token: null, byte_fallback: false, ignore_merges: true, vocab, merges, ...model },
    ...changes,
  };
}

export function expectSameIds(metadata: MetadataMap, json: object, texts: readonly string[]): void {
  const ours = createTokenizer(metadata);
  const library = new Library(json as never, { clean_up_tokenization_spaces: false } as never);
  for (const text of texts) {
    // Lone surrogates are U+FFFD to both sides.
    const expected = text === '' ? [] : library.encode(decodeUtf8(encodeUtf8(text)), { add_special_tokens: false }).ids;
    const got = ours.encode(text, { bos: false, special: true });
    if (got.join() !== expected.join()) expect(got, JSON.stringify(text)).toEqual(expected);
  }
}

export const random = new Random(512);
export const texts = [
  ...Array.from({ length: 1500 }, () => randomText(random, 24)),
  "Hello 12345 world's  end...\n\n  Tab\tX I'LL \u00e9t\u00e9 \u65e5\u672c\u8a9e #1!",
  `a${bos}b ${eot}${eos}`,
  '1234567 3.14159 don\u2019t 00 \u0661\u0662\u0663\u0664',
];
