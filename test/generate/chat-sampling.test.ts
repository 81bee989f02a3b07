// How a token is taken where the user does not say: the file's word, the makers', the defaults.

import { expect, test } from 'vitest';
import { chatFamily } from '../../src/generate/chat-form-families.ts';
import { checkSampling, fileSampling, withDefaults } from '../../src/generate/sampling-options.ts';
import { load } from '../../src/index.ts';
import { metadataOf } from '../tokenizer/vocabularies.ts';

function familySampling(architecture: string, name: string, vocabSize = 1000, tokens: readonly string[] = []) {
  const strings: Record<string, string> = { 'general.architecture': architecture, 'general.name': name };
  const id = (token: string) => (tokens.includes(token) ? 1 : undefined);
  return chatFamily({ vocabSize, id }, { string: (key) => strings[key] })?.family.sampling;
}

test('what makers recommend', () => {
  expect(familySampling('bitnet-b1.58', 'bitnet2b', 128256)).toEqual({ temperature: 0.7, topP: 0.95 });
  const bonsai = { temperature: 0.5, topK: 20, topP: 0.85 };
  expect(familySampling('qwen3', 'Bonsai-8B', 151669, ['<|im_start|>'])).toEqual(bonsai);
  expect(familySampling('qwen3', 'Ternary-Bonsai-4B', 151669, ['<|im_start|>'])).toEqual(bonsai);
  const bitmamba = { temperature: 0.8, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.15 };
  expect(familySampling('bitmamba2', '')).toEqual(bitmamba);
  expect(familySampling('llama', 'TriLM')).toBeUndefined();
  for (const sampling of [bonsai, bitmamba]) expect(() => checkSampling(sampling)).not.toThrow();
});

test('the file goes before them, whole numbers and keys of other types included', () => {
  const file = metadataOf({
    'general.sampling.temp': 1,
    'general.sampling.top_k': '20',
    'general.sampling.top_p': true,
  });
  expect(fileSampling(file)).toEqual({ temperature: 1 });
  expect(withDefaults(fileSampling(file), { temperature: 0.5, topK: 20 })).toEqual({ temperature: 1, topK: 20 });
});

test('the user goes before all, but undefined says nothing', () => {
  const makers = { temperature: 0.5, topK: 20 };
  expect(withDefaults({ temperature: undefined, topK: 5, stop: 'x' }, makers)).toEqual({
    temperature: 0.5,
    topK: 5,
    stop: 'x',
  });
  expect(withDefaults({ temperature: 0 }, makers)).toEqual({ temperature: 0, topK: 20 });
  expect(makers).toEqual({ temperature: 0.5, topK: 20 });
});

test('a model samples as usual where nobody says anything', async () => {
  const model = await load(undefined, { threads: 1 });
  const text = async (options: object) =>
    (await model.generate('Once', { maxTokens: 20, seed: 5, ...options }).summary()).text;
  expect(await text({ temperature: undefined })).toBe(await text({ temperature: 0.7, topK: 40, topP: 0.95 }));
  await model.dispose();
});
