// The keys of the new file: all that were there, and what other engines need to be told.

import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { bitnetChatTemplate } from '../../src/convert/bitnet.ts';
import { convertModel } from '../../src/convert/convert.ts';
import type { TernaryTarget } from '../../src/convert/options.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import type { MetadataItem } from '../../src/formats/gguf-write.ts';
import { overlay } from '../../src/formats/metadata.ts';
import { bytesSource } from '../../src/formats/source.ts';
import { encodeChat } from '../../src/generate/chat.ts';
import { renderTemplate } from '../../src/generate/template.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { key, file as rawFile, str, tensor, type, u32, u64 } from '../formats/gguf-bytes.ts';
import { hasTruth, truthPath } from '../truth.ts';
import { collect, converted, llamaKeys, makeGguf, matrix, modelFile } from './helpers.ts';

const bitnetKeys = (architecture: string): MetadataItem[] =>
  llamaKeys.map((item) =>
    item[0] === 'general.architecture'
      ? [item[0], 'string', architecture]
      : ([item[0].replace('llama', architecture), item[1], item[2]] as MetadataItem),
  );

async function metadataOf(keys: readonly MetadataItem[], ternary: TernaryTarget = 'TQ2_0') {
  const { file, conversion } = await converted(makeGguf(keys, [matrix('TQ2_0', [256, 2], 1)]), { ternary });
  return { metadata: file.metadata, notes: conversion.notes };
}

const tokenizer = (...more: MetadataItem[]): MetadataItem[] => [['tokenizer.ggml.model', 'string', 'gpt2'], ...more];
const llama3Tokens: MetadataItem = [
  'tokenizer.ggml.tokens',
  'string[]',
  Array.from({ length: 128256 }, (_, id) => (id === 128000 ? '<|begin_of_text|>' : `t${id}`)),
];

it('are those of the old file, with their types', async () => {
  const items: MetadataItem[] = [
    ['a.text', 'string', 'naïve \u{1f999}'],
    ['a.integer', 'u32', 7],
    ['a.negative', 'i32', -7],
    ['a.large', 'u64', 2 ** 40],
    ['a.float', 'f32', 500000],
    ['a.flag', 'bool', true],
    ['a.texts', 'string[]', ['', 'Ġx', '\ufeff']],
    ['a.floats', 'f32[]', [0.5, -1]],
    ['a.integers', 'i32[]', [1, -2]],
  ];
  const before = await modelFile(makeGguf([...llamaKeys, ...items], [matrix('TQ2_0', [256, 2], 1)]));
  const { metadata, notes } = await metadataOf([...llamaKeys, ...items]);
  expect(notes).toEqual([]);
  const own = ['general.file_type', 'general.quantization_version'];
  expect(metadata.keys).toEqual([...before.metadata.keys, ...own]);
  const typeOf = (of: unknown, name: string) => (of as { type(key: string): string }).type(name);
  for (const name of before.metadata.keys) {
    expect(typeOf(metadata, name), name).toBe(typeOf(before.metadata, name));
    if (name !== 'a.texts') expect(metadata.raw(name)).toEqual(before.metadata.raw(name));
  }
  expect([0, 1, 2].map((i) => metadata.strings('a.texts')!.get(i))).toEqual(['', 'Ġx', '\ufeff']);
});

it('keep their types where the tokenizer comes from elsewhere', async () => {
  const model = await modelFile(makeGguf([...llamaKeys, ['a.float', 'f32', 5]], [matrix('TQ2_0', [256, 2], 1)]));
  const other = await modelFile(makeGguf([['tokenizer.ggml.model', 'string', 'gpt2']], []));
  const metadata = overlay(model.metadata, other.metadata, 'tokenizer.');
  const file = await modelFile(await collect(convertModel({ ...model, metadata }).pieces));
  expect(file.metadata.float('a.float')).toBe(5);
  expect(file.metadata.string('tokenizer.ggml.model')).toBe('gpt2');
});

it('describe the new file, not the old one', async () => {
  const old: MetadataItem[] = [
    ['general.file_type', 'u32', 1],
    ['general.quantization_version', 'u32', 1],
    ['split.count', 'u32', 1],
  ];
  for (const [ternary, type] of [
    ['TQ1_0', 36],
    ['TQ2_0', 37],
    ['I2_S', 40],
  ] as const) {
    const { metadata } = await metadataOf([...llamaKeys, ...old], ternary);
    expect(metadata.integer('general.file_type')).toBe(type);
    expect(metadata.integer('general.quantization_version')).toBe(2);
    expect(metadata.has('split.count')).toBe(false);
  }
});

it('of types that are not written become others, or are left out with a note', async () => {
  const i64 = (value: bigint) => u64(BigInt.asUintN(64, value));
  const keys = [
    key('general.architecture', type.string, str('llama')),
    ...['block_count', 'context_length', 'feed_forward_length', 'attention.head_count'].map((name) =>
      key(`llama.${name}`, type.u32, u32(256)),
    ),
    key('llama.embedding_length', type.u32, u32(1024)),
    key('llama.attention.layer_norm_rms_epsilon', type.f32, new Uint8Array(Float32Array.of(1e-5).buffer)),
    key('a.short', type.u16, Uint8Array.of(3, 1)),
    key('a.long', type.i64, i64(-5n)),
    key('a.huge', type.u64, u64(2n ** 63n)),
    key('a.flags', type.array, u32(type.bool), u64(2), Uint8Array.of(1, 0)),
    key('a.longs', type.array, u32(type.i64), u64(2), i64(1n), i64(-1n)),
    key('a.hugeLongs', type.array, u32(type.i64), u64(1), i64(2n ** 40n)),
  ];
  const bytes = rawFile({
    keys,
    tensors: [tensor({ name: 'blk.0.attn_q.weight', dims: [256, 1], typeId: 35 })],
    dataBytes: 96,
  });
  const conversion = convertModel(await readGguf(bytesSource(bytes)));
  const { metadata } = await modelFile(await collect(conversion.pieces));
  expect(metadata.integer('a.short')).toBe(259);
  expect(metadata.integer('a.long')).toBe(-5);
  expect(metadata.integers('a.flags')).toEqual(Int32Array.of(1, 0));
  expect(metadata.integers('a.longs')).toEqual(Int32Array.of(1, -1));
  expect(conversion.notes).toEqual(
    ['a.huge', 'a.hugeLongs'].map((name) => `the key ${name} is left out: GGUF files written here have no such type`),
  );
});

describe('BitNet b1.58', () => {
  it.each(['bitnet-b1.58', 'bitnet-25'])('%s is called bitnet with squared ReLU for llama.cpp', async (name) => {
    for (const ternary of ['TQ1_0', 'TQ2_0'] as const) {
      const { metadata, notes } = await metadataOf(bitnetKeys(name), ternary);
      expect(metadata.string('general.architecture')).toBe('bitnet');
      expect(metadata.string('bitnet.hidden_activation')).toBe('relu2');
      expect(metadata.integer('bitnet.embedding_length')).toBe(256);
      expect(metadata.keys.filter((key) => key.startsWith(name))).toEqual([]);
      expect(notes).toContain(`the architecture ${name} is called bitnet`);
    }
    const { metadata } = await metadataOf(bitnetKeys(name), 'I2_S');
    expect(metadata.string('general.architecture')).toBe(name);
    expect(metadata.has('bitnet.hidden_activation')).toBe(false);
  });

  it('gets its name back for bitnet.cpp', async () => {
    const keys: MetadataItem[] = [...bitnetKeys('bitnet'), ['bitnet.hidden_activation', 'string', 'relu2']];
    const { metadata } = await metadataOf(keys, 'I2_S');
    expect(metadata.string('general.architecture')).toBe('bitnet-b1.58');
    expect(metadata.integer('bitnet-b1.58.embedding_length')).toBe(256);
    expect(metadata.keys.some((key) => key.endsWith('hidden_activation'))).toBe(false);
  });

  it('with SiLU is bitnet to both', async () => {
    for (const ternary of ['TQ2_0', 'I2_S'] as const) {
      const { metadata } = await metadataOf(bitnetKeys('bitnet'), ternary);
      expect(metadata.string('general.architecture')).toBe('bitnet');
      expect(metadata.has('bitnet.hidden_activation')).toBe(false);
    }
  });

  it('gets the chat template that it was trained with', async () => {
    const wrong =
      "{% for message in messages %}{{ 'Human: ' + message['content'] + '\\n\\nBITNETAssistant: ' }}{% endfor %}";
    const keys = [...bitnetKeys('bitnet-b1.58'), ...tokenizer(['tokenizer.chat_template', 'string', wrong])];
    const { metadata, notes } = await metadataOf(keys, 'I2_S');
    expect(metadata.string('tokenizer.chat_template')).toBe(bitnetChatTemplate);
    expect(notes).toContain('tokenizer.chat_template was not the one that the model was trained with; it is replaced');
    const other = [...bitnetKeys('bitnet-b1.58'), ...tokenizer(['tokenizer.chat_template', 'string', 'x'])];
    expect((await metadataOf(other)).metadata.string('tokenizer.chat_template')).toBe('x');
  });

  it('has a template that renders the trained form', () => {
    const messages = [
      { role: 'system', content: 'Be brief.' },
      { role: 'user', content: ' Hi there \n' },
    ];
    const text = 'System: Be brief.<|eot_id|>User: Hi there<|eot_id|>';
    expect(renderTemplate(bitnetChatTemplate, { messages, add_generation_prompt: true })).toBe(`${text}Assistant: `);
    expect(renderTemplate(bitnetChatTemplate, { messages })).toBe(text);
    if (!hasTruth('truth/chat/templates/bitnet-b1.58-2B-4T.hf.jinja', "the model's own template")) return;
    const own = readFileSync(truthPath('truth/chat/templates/bitnet-b1.58-2B-4T.hf.jinja'), 'utf8');
    expect(renderTemplate(own, { messages, add_generation_prompt: true })).toBe(`${text}Assistant: `);
  });
});

describe('a conversation', () => {
  const name = 'truth/tokenizers/llama-3-128256.vocab.gguf';

  it.runIf(hasTruth(name, "Llama-3's vocabulary"))('is written by it as by the form that is built in', async () => {
    const tokenizer = createTokenizer((await modelFile(new Uint8Array(readFileSync(truthPath(name))))).metadata);
    const keys = (template: string | undefined) => ({
      string: (key: string) => (key === 'general.architecture' ? 'bitnet-b1.58' : template),
    });
    const messages = [{ role: 'user', content: 'hi' }];
    const ids = encodeChat(tokenizer, keys(bitnetChatTemplate), messages);
    expect(ids).toEqual(encodeChat(tokenizer, keys(undefined), messages));
    // The space behind a colon is a token of its own.
    expect(ids.slice(-3).map((id) => tokenizer.token(id))).toEqual(['Assistant', ':', 'Ġ']);
  });
});

describe('the pre-tokenizer', () => {
  const pre = 'tokenizer.ggml.pre';

  it('is filled in for BitNet 2B-4T and for the vocabulary of Llama-3', async () => {
    const bitnet = await metadataOf([...bitnetKeys('bitnet-b1.58'), ...tokenizer()]);
    const llama = await metadataOf([...llamaKeys, ...tokenizer(llama3Tokens)]);
    for (const { metadata, notes } of [bitnet, llama]) {
      expect(metadata.string(pre)).toBe('llama-bpe');
      expect(notes).toContain('tokenizer.ggml.pre was missing; it is llama-bpe');
    }
  });

  it('is called by a name that llama.cpp knows', async () => {
    const { metadata } = await metadataOf([...llamaKeys, ...tokenizer([pre, 'string', 'falcon_e'])]);
    expect(metadata.string(pre)).toBe('llama-bpe');
  });

  it('stays what it is otherwise', async () => {
    expect((await metadataOf([...llamaKeys, ...tokenizer()])).metadata.has(pre)).toBe(false);
    const qwen = await metadataOf([...llamaKeys, ...tokenizer([pre, 'string', 'qwen2'])]);
    expect(qwen.metadata.string(pre)).toBe('qwen2');
    const spm: MetadataItem[] = [...llamaKeys, ['tokenizer.ggml.model', 'string', 'llama']];
    expect((await metadataOf(spm)).metadata.has(pre)).toBe(false);
  });
});

describe('how a llama was trained', () => {
  it('is told where its encoding no longer tells it', async () => {
    const codes = new Uint8Array(18 * 4).fill(1);
    const weightOnly = makeGguf(llamaKeys, [
      { name: 'blk.0.attn_q.weight', dims: [256, 2], encoding: 'Q1_0', data: codes },
    ]);
    const { file, conversion } = await converted(weightOnly);
    expect(file.metadata.string('ternlight.activations')).toBe('float');
    expect(conversion.notes).toHaveLength(1);
    const { file: again } = await converted(makeGguf(llamaKeys, [matrix('I2_S', [256, 2], 1)]));
    expect(again.metadata.has('ternlight.activations')).toBe(false);
  });
});
