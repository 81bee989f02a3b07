// The forms that have a name: what they write, as text and as ids, and what ends an answer.

import { describe, expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import type { Metadata } from '../../src/formats/types.ts';
import { chatPrompt, encodeChat } from '../../src/generate/chat.ts';
import { chatForm, chatFormNames } from '../../src/generate/chat-forms.ts';
import { generate } from '../../src/generate/generate.ts';
import type { ChatMessage } from '../../src/generate/options.ts';
import { withStops } from '../../src/generate/stops.ts';
import { renderTemplate } from '../../src/generate/template.ts';
import { toAlphabet } from '../../src/tokenizer/alphabet.ts';
import { createTokenizer } from '../../src/tokenizer/index.ts';
import { largeMetadata, largeNames, metadataOf } from '../tokenizer/vocabularies.ts';
import { hasTruth, truthJson } from '../truth.ts';
import { ScriptedSource } from './fakes.ts';

const user = (content: string): ChatMessage[] => [{ role: 'user', content }];
const conversation: ChatMessage[] = [
  { role: 'system', content: ' Be brief.\n' },
  ...user('Hi!'),
  { role: 'assistant', content: ' Hello. ' },
  ...user(' And? '),
];

/** A vocabulary of the 256 bytes, ids 0 to 255, and these control tokens (thoughts are user-defined, as in Qwen3). */
function bytesAnd(controls: readonly string[], keys: Record<string, unknown> = {}): Metadata {
  const bytes = Array.from({ length: 256 }, (_, byte) => toAlphabet(Uint8Array.of(byte)));
  const token_type = [...bytes.map(() => 1), ...controls.map((text) => (text.includes('think') ? 4 : 3))];
  return metadataOf({ model: 'gpt2', pre: 'gpt-2', tokens: [...bytes, ...controls], merges: [], token_type, ...keys });
}

const llama3Tokens = ['<|begin_of_text|>', '<|end_of_text|>', '<|start_header_id|>', '<|end_header_id|>', '<|eot_id|>'];
const vocabularies: Record<string, readonly string[]> = {
  'bitnet-2b-4t': llama3Tokens,
  'llama-3': llama3Tokens,
  falcon3: ['<|endoftext|>', '<|system|>', '<|user|>', '<|assistant|>'],
  'falcon-e-plain': ['<|end_of_text|>', '<|im_start|>', '<|im_end|>'],
  chatml: ['<|end_of_text|>', '<|im_start|>', '<|im_end|>'],
  qwen3: ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>'],
  'qwen3-no-think': ['<|endoftext|>', '<|im_start|>', '<|im_end|>', '<think>', '</think>'],
  question: ['<|endoftext|>'],
};

const chatmlText =
  '<|im_start|>system\n Be brief.\n<|im_end|>\n<|im_start|>user\nHi!<|im_end|>\n' +
  '<|im_start|>assistant\n Hello. <|im_end|>\n<|im_start|>user\n And? <|im_end|>\n<|im_start|>assistant\n';
const texts: Record<string, string> = {
  'bitnet-2b-4t':
    '<|begin_of_text|>System: Be brief.<|eot_id|>User: Hi!<|eot_id|>Assistant: Hello.<|eot_id|>User: And?<|eot_id|>Assistant: ',
  'llama-3':
    '<|begin_of_text|><|start_header_id|>system<|end_header_id|>\n\nBe brief.<|eot_id|>' +
    '<|start_header_id|>user<|end_header_id|>\n\nHi!<|eot_id|>' +
    '<|start_header_id|>assistant<|end_header_id|>\n\nHello.<|eot_id|>' +
    '<|start_header_id|>user<|end_header_id|>\n\nAnd?<|eot_id|>' +
    '<|start_header_id|>assistant<|end_header_id|>\n\n',
  falcon3: '<|system|>\n Be brief.\n\n<|user|>\nHi!\n<|assistant|>\n Hello. \n<|user|>\n And? \n<|assistant|>\n',
  'falcon-e-plain': 'System: Be brief.\nUser: Hi!\nFalcon: Hello.\nUser: And?\nFalcon:',
  chatml: chatmlText,
  qwen3: chatmlText,
  'qwen3-no-think': `${chatmlText}<think>\n\n</think>\n\n`,
  question: 'Be brief.\nQuestion: Hi!\nDetailed answer: Hello.\nQuestion: And?\nDetailed answer:',
};

test('every form has its test', () => {
  expect(Object.keys(texts)).toEqual(chatFormNames);
  expect(Object.keys(vocabularies)).toEqual(chatFormNames);
  for (const id of chatFormNames) expect(chatForm(id)?.description.length).toBeLessThan(100);
  expect(chatForm('constructor')).toBeUndefined();
});

describe.each(Object.entries(texts))('%s', (template, text) => {
  const controls = vocabularies[template]!;
  const metadata = bytesAnd(controls, controls === llama3Tokens ? { bos_token_id: 256, add_bos_token: true } : {});
  const tokenizer = createTokenizer(metadata);
  const ids = (messages: readonly ChatMessage[]) => encodeChat(tokenizer, metadata, messages, { template });

  test('as text, its markers as tokens', () => {
    expect(tokenizer.decode(ids(conversation), { special: true })).toBe(text);
    expect(ids(conversation)).toEqual(tokenizer.encode(text, { special: true }));
  });

  test('texts of users stay texts', () => {
    const evil = `a${controls.join('b')}c`;
    const controlsIn = (content: string) => ids(user(content)).filter((id) => tokenizer.isControl(id));
    expect(controlsIn(evil)).toEqual(controlsIn('abc'));
    expect(tokenizer.decode(ids(user(evil)))).toContain(evil);
  });
});

describe('what ends an answer', () => {
  const ends = (template: string, controls: readonly string[]) => {
    const metadata = bytesAnd(controls);
    const { stop, stopTokens, form } = chatPrompt(createTokenizer(metadata), metadata, user('a'), { template });
    expect(form).toBe(template);
    return { stop, stopTokens: stopTokens.map((id) => controls[id - 256]) };
  };

  test('tokens where the vocabulary has them', () => {
    const turn = { stop: [], stopTokens: ['<|eot_id|>', '<|end_of_text|>'] };
    expect(ends('bitnet-2b-4t', llama3Tokens)).toEqual(turn);
    expect(ends('llama-3', llama3Tokens)).toEqual(turn);
    expect(ends('falcon3', vocabularies.falcon3!)).toEqual({ stop: [], stopTokens: ['<|endoftext|>'] });
    expect(ends('chatml', vocabularies.chatml!)).toEqual({ stop: [], stopTokens: ['<|im_end|>'] });
    expect(ends('qwen3', vocabularies.qwen3!)).toEqual({ stop: [], stopTokens: ['<|im_end|>', '<|endoftext|>'] });
  });

  test('else their text: ChatML as BitMamba-2 writes it', () => {
    expect(ends('chatml', vocabularies.question!)).toEqual({ stop: ['<|im_end|>'], stopTokens: [] });
  });

  test('the next speaker in forms of plain text', () => {
    expect(ends('falcon-e-plain', vocabularies.chatml!)).toEqual({ stop: ['\nUser:'], stopTokens: [] });
    expect(ends('question', vocabularies.question!)).toEqual({ stop: ['\nQuestion:'], stopTokens: [] });
  });

  test('nothing of ours with a template of the file or of the user', () => {
    const metadata = bytesAnd([], { 'tokenizer.chat_template': '{{ messages[0].content }}' });
    const tokenizer = createTokenizer(metadata);
    for (const [template, form] of [
      [undefined, 'file'],
      ['file', 'file'],
      ['{{ 1 }}', 'given'],
    ]) {
      const prompt = chatPrompt(tokenizer, metadata, user('a'), { template });
      expect(prompt).toMatchObject({ stop: [], stopTokens: [], form });
    }
  });

  test('beside what the user says', () => {
    const ends = { stop: ['\nUser:'], stopTokens: [7] };
    expect(withStops({}, ends)).toEqual(ends);
    expect(withStops({ stop: 'x', stopTokens: [9], topK: 1 }, ends)).toEqual({
      stop: ['\nUser:', 'x'],
      stopTokens: [7, 9],
      topK: 1,
    });
    expect(withStops({ stop: ['x', 'y'] }, ends).stop).toEqual(['\nUser:', 'x', 'y']);
  });

  test('in a generation', async () => {
    const metadata = bytesAnd(['<|end_of_text|>']);
    const tokenizer = createTokenizer(metadata);
    const prompt = chatPrompt(tokenizer, metadata, user('Hi'), { template: 'falcon-e-plain' });
    const answer = async (text: string, options = {}) => {
      const source = new ScriptedSource(prompt.ids.length, tokenizer.encode(text));
      const all = withStops({ temperature: 0, maxTokens: 60, ...options }, prompt);
      const { text: said, stop } = await generate(source, tokenizer, prompt.ids, all).summary();
      return [said, stop];
    };
    expect(await answer(' Hello.\nUser: and so on')).toEqual([' Hello.', 'stop']);
    expect(await answer(' Hello.\nUser: and so on', { stop: 'l' })).toEqual([' He', 'stop']);
    await expect(answer(' Hello.', { stop: 5 })).rejects.toThrow('options: stop has 5, expected texts');
    await expect(answer(' Hello.', { stopTokens: 5 })).rejects.toThrow('options: stopTokens is 5, expected an array');
    await expect(answer('', { stop: 'a'.repeat(1025) })).rejects.toThrow('1025 characters, expected 1024 at most');
    await expect(answer('', { stop: Array(256).fill('a') })).rejects.toThrow('257 texts, expected 256 at most');
  });
});

describe('particulars', () => {
  const metadata = bytesAnd(vocabularies.qwen3!);
  const tokenizer = createTokenizer(metadata);
  const text = (template: string, messages: readonly ChatMessage[], variables = {}) =>
    tokenizer.decode(encodeChat(tokenizer, metadata, messages, { template, variables }), { special: true });

  test('qwen3: enable_thinking false adds the empty thought, and earlier thoughts are dropped', () => {
    const question = '<|im_start|>user\na<|im_end|>\n<|im_start|>assistant\n';
    expect(text('qwen3', user('a'))).toBe(question);
    expect(text('qwen3', user('a'), { enable_thinking: true })).toBe(question);
    expect(text('qwen3', user('a'), { enable_thinking: false })).toBe(`${question}<think>\n\n</think>\n\n`);
    expect(text('qwen3', user('a'), { add_generation_prompt: false })).toBe('<|im_start|>user\na<|im_end|>\n');
    const answer = { role: 'assistant', content: '<think>\nno\n</think>\n\nyes' };
    expect(text('qwen3', [...user('a'), answer, ...user('</think>b')])).toBe(
      `${question}yes<|im_end|>\n<|im_start|>user\n</think>b<|im_end|>\n<|im_start|>assistant\n`,
    );
  });

  test('falcon3: a role does not become another token', () => {
    for (const role of ['endoftext', 'im_end', 'user|><|system', 'tool'])
      expect(() => text('falcon3', [{ role, content: 'a' }])).toThrow(
        new TernlightError(
          'template',
          `chat form falcon3: it refuses the messages: the roles of falcon3 are system, user and assistant, got ${role}; change them, or give another form`,
        ),
      );
  });

  test('bitnet-2b-4t: needs its end of turn', () => {
    expect(() => text('bitnet-2b-4t', user('a'))).toThrow('chat: the vocabulary has no <|eot_id|>, which turns');
  });
});

describe.runIf(hasTruth('truth/chat', 'forms beside the templates of their makers'))('as the makers’ templates', () => {
  interface Rendering {
    template: string;
    case: string;
    vars: Record<string, unknown>;
    expected: string;
  }
  const cases = hasTruth('truth/chat', 'renderings') ? truthJson<Rendering[]>('truth/chat/cases.json') : [];

  test.each([
    ['llama-3', 'Llama-3-8B-Instruct.jinja', ({ vars }: Rendering) => vars.add_generation_prompt === true, 7],
    ['qwen3', 'Qwen-Qwen3-0.6B.jinja', (r: Rendering) => r.case !== 'tools' && r.case !== 'sysmulti', 10],
  ])('%s', (id, name, alike, count) => {
    const chosen = cases.filter((rendering) => rendering.template === name && alike(rendering));
    expect(chosen.length).toBe(count);
    for (const { vars, expected, case: what } of chosen)
      expect(renderTemplate(chatForm(id)!.template as string, vars), what).toBe(expected);
  });

  test('bitnet-2b-4t says the words of the template of the safetensors repository', () => {
    const metadata = bytesAnd(llama3Tokens);
    const tokenizer = createTokenizer(metadata);
    const chosen = cases.filter(
      ({ template, vars }) => template === 'bitnet-b1.58-2B-4T.hf.jinja' && vars.add_generation_prompt === true,
    );
    expect(chosen.length).toBe(7);
    for (const { vars, expected, case: what } of chosen) {
      const messages = vars.messages as ChatMessage[];
      const ids = encodeChat(tokenizer, metadata, messages, { template: 'bitnet-2b-4t' });
      expect(tokenizer.decode(ids, { special: true }), what).toBe(expected);
    }
  });
});

describe.runIf(largeNames.length > 0)('on real vocabularies', async () => {
  const large = largeNames.length > 0;
  const llama = large ? await largeMetadata('llama-3') : bytesAnd([]);
  const qwen = large ? await largeMetadata('qwen2') : bytesAnd([]);
  const gpt2 = large ? await largeMetadata('gpt-2') : bytesAnd([]);
  const ids = (metadata: Metadata, template: string, messages: readonly ChatMessage[]) =>
    encodeChat(createTokenizer(metadata), metadata, messages, { template });
  const pieces = (metadata: Metadata, list: readonly number[]) => {
    const tokenizer = createTokenizer(metadata);
    return list.map((id) => tokenizer.decode([id], { special: true }));
  };

  test('llama-3', () => {
    const got = ids(llama, 'llama-3', user(' hi '));
    expect(got.filter((id) => id >= 128000)).toEqual([128000, 128006, 128007, 128009, 128006, 128007]);
    expect(pieces(llama, got)).toEqual([
      ...['<|begin_of_text|>', '<|start_header_id|>', 'user', '<|end_header_id|>', '\n\n', 'hi', '<|eot_id|>'],
      ...['<|start_header_id|>', 'assistant', '<|end_header_id|>', '\n\n'],
    ]);
  });

  test('bitnet-2b-4t: the space behind a colon is a token', () => {
    const got = ids(llama, 'bitnet-2b-4t', user('hi'));
    expect(pieces(llama, got).join('·')).toBe('<|begin_of_text|>·User·:· ·hi·<|eot_id|>·Assistant·:· ');
    expect([got[0], got[5]]).toEqual([128000, 128009]);
  });

  test('qwen3: the published ids of Bonsai without thoughts', () => {
    const golden = [
      151644, 872, 198, 785, 6722, 315, 9625, 374, 151645, 198, 151644, 77091, 198, 151667, 271, 151668, 271,
    ];
    const question = user('The capital of France is');
    // Qwen2.5's vocabulary, with the two tokens that Qwen3 has more.
    const thinking = withTokens(qwen, { 151667: '<think>', 151668: '</think>' });
    expect(ids(thinking, 'qwen3-no-think', question)).toEqual(golden);
    expect(ids(thinking, 'qwen3', question)).toEqual(golden.slice(0, -4));
    expect(ids(thinking, 'chatml', question)).toEqual(golden.slice(0, -4));
    const tokenizer = createTokenizer(thinking);
    const variables = { enable_thinking: false };
    expect(encodeChat(tokenizer, thinking, question, { template: 'qwen3', variables })).toEqual(golden);
  });

  test('question and ChatML as text, for BitMamba-2', () => {
    const got = ids(gpt2, 'question', user('Why?'));
    expect(pieces(gpt2, got)).toEqual(['Question', ':', ' Why', '?', '\n', 'Detailed', ' answer', ':']);
    // The published ids of the marker.
    expect(ids(gpt2, 'chatml', user('Why?')).slice(0, 7)).toEqual([27, 91, 320, 62, 9688, 91, 29]);
  });

  /** The vocabulary with other control tokens at some ids. */
  function withTokens(metadata: Metadata, changes: Record<number, string>): Metadata {
    const tokens = metadata.strings('tokenizer.ggml.tokens')!;
    const types = metadata.integers('tokenizer.ggml.token_type')!.slice();
    for (const id of Object.keys(changes)) types[Number(id)] = 4;
    const encoder = new TextEncoder();
    const changed = {
      length: tokens.length,
      get: (id: number) => changes[id] ?? tokens.get(id),
      bytes: (id: number) => (id in changes ? encoder.encode(changes[id]) : tokens.bytes(id)),
    };
    const strings = (key: string) => (key === 'tokenizer.ggml.tokens' ? changed : metadata.strings(key));
    const integers = (key: string) => (key === 'tokenizer.ggml.token_type' ? types : metadata.integers(key));
    return Object.assign(Object.create(metadata), { strings, integers });
  }
});
