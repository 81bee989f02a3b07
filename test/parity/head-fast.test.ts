// The head in two steps gives the int8 head's tokens, and its logits where they are asked for: packaged model, every build.
import { describe, expect, it } from 'vitest';
import { type GenerateOptions, type LoadOptions, load, packagedModel } from '../../src/index.ts';
import { loadModel } from '../../src/load.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import { collect } from './compare.ts';
import { configurations } from './configurations.ts';

const PROMPT = 'Once upon a time, there was a little girl named Lily. She had a red ball and';

const SAMPLINGS: Record<string, GenerateOptions> = {
  greedy: { temperature: 0 },
  'the defaults': {},
  'a top-k of 5 and a min-p': { topK: 5, topP: 1, minP: 0.05, temperature: 1.5 },
  'top-p alone': { topK: 0, topP: 0.9, temperature: 1 },
  penalties: { repetitionPenalty: 1.3, presencePenalty: 0.5, frequencyPenalty: 0.2, penaltyWindow: 32 },
  'penalties that raise': { repetitionPenalty: 0.7, temperature: 0 },
  'greedy with drafts': { temperature: 0, speculation: { draft: 4 } },
};

async function idsOf(options: LoadOptions): Promise<Record<string, unknown>> {
  const model = await load(undefined, options);
  const all: Record<string, unknown> = {};
  for (const [name, sampling] of Object.entries(SAMPLINGS))
    for (const seed of [1, 2])
      all[`${name}, ${seed}`] = (await model.generate(PROMPT, { seed, maxTokens: 80, ...sampling }).summary()).ids;
  const pieces = await collect(model.generate(PROMPT, { seed: 3, maxTokens: 20, logprobs: true }));
  all.logprobs = pieces.map(({ id, logprob }) => [id, logprob]);
  await model.dispose();
  return all;
}

describe('the fast head', () => {
  it('draws what the int8 head draws', async () => {
    const want = await idsOf({ head: 'int8', threads: 1 });
    for (const [name, options] of await configurations([1, 2]))
      expect(await idsOf({ ...options, head: 'fast' }), name).toEqual(want);
  });

  it('gives its logits when asked for them', async () => {
    const rows = async (options: LoadOptions) => {
      const model = await load(undefined, { ...options, threads: 1 });
      const ids = await model.tokenize(PROMPT);
      const all = await collect(model.logits(ids));
      const session = await model.session();
      all.push((await session.feed(ids)).slice(), (await session.feed([5])).slice());
      await model.dispose();
      return all;
    };
    const want = await rows({ head: 'int8' });
    expect(await rows({ head: 'fast' })).toEqual(want);
  });

  it('reads half of it', async () => {
    const bytes = async (head: 'int8' | 'fast') => {
      const model = await loadModel(packagedModel, { head, threads: 1 }, nodePlatform());
      const { decode } = await model.profile({ promptTokens: 8, tokens: 2 });
      await model.dispose();
      return decode.roles.find(({ role }) => role === 'head')!.bytes;
    };
    expect((await bytes('fast')) / (await bytes('int8'))).toBeCloseTo(0.5, 1);
  });
});
