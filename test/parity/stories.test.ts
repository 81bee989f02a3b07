// A real trained model in F32 (stories260K): published text, NLL and perplexity of llama.cpp.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { hasTruth, truthJson, truthPath } from '../truth.ts';
import { argmax, collect, meanNll } from './compare.ts';

const EXACT = { kv: 'f32', head: 'stored', threads: 1 } as const;
const MODEL = 'truth/real/stories260K.gguf';

interface Story {
  prompt: string;
  tokens: number[];
  nll: number | null;
  greedyText: string;
  greedy?: { t: number; margin: number }[];
}
interface Expected {
  publishedGreedy: string;
  cases: Story[];
}
interface Perplexities {
  texts: {
    name: string;
    text?: string;
    file?: string;
    chars?: [number, number];
    runs: { N: number; chunks: number; counted: number; nll: number; ppl: number; nllKvF16?: number }[];
  }[];
}

describe.runIf(hasTruth(MODEL, 'the real model stories260K'))('stories260K', () => {
  it('writes the published text', async () => {
    const model = await load(truthPath(MODEL), EXACT);
    const { publishedGreedy } = truthJson<Expected>('truth/real/stories260K.expected.json');
    const { text } = await model.generate('', { temperature: 0, maxTokens: 255 }).summary();
    expect(publishedGreedy.length).toBeGreaterThan(500);
    // Published: 256 steps from BOS. Ours may end within its last word.
    expect(text.trim().startsWith(publishedGreedy.trim()) || publishedGreedy.trim().startsWith(text.trim())).toBe(true);
    expect(text.length).toBeGreaterThan(publishedGreedy.length - 20);
    await model.dispose();
  });

  it('has the NLL of llama.cpp to 1e-4, and its greedy text', async () => {
    const model = await load(truthPath(MODEL), EXACT);
    for (const story of truthJson<Expected>('truth/real/stories260K.expected.json').cases) {
      expect(await model.tokenize(story.prompt)).toEqual(story.tokens);
      const rows = await collect(model.logits(story.tokens));
      if (story.nll !== null) expect(Math.abs(meanNll(rows, story.tokens) - story.nll)).toBeLessThan(1e-4);
      if (!story.greedy) continue;
      const session = await model.session();
      let logits = await session.feed(story.tokens);
      for (const { t, margin } of story.greedy) {
        if (margin < 0.02) break;
        expect(argmax(logits)).toBe(t);
        logits = await session.feed([t]);
      }
      await session.dispose();
    }
    await model.dispose();
  });

  it('has the perplexity of llama.cpp, NLL to 1e-4', async () => {
    const { texts } = truthJson<Perplexities>('truth/real/stories260K.perplexity.json');
    const { publishedGreedy } = truthJson<Expected>('truth/real/stories260K.expected.json');
    const textOf = ({ name, text, file, chars }: Perplexities['texts'][number]): string => {
      if (text !== undefined) return text;
      if (name === 'publishedGreedy') return publishedGreedy;
      return readFileSync(truthPath(`truth/${file!.replace('../', '')}`), 'utf8').slice(...chars!);
    };
    expect(texts.length).toBe(3);
    for (const kv of ['f32', 'f16'] as const) {
      const model = await load(truthPath(MODEL), { ...EXACT, kv });
      for (const source of texts) {
        const text = textOf(source);
        for (const { N, chunks, counted, nll, nllKvF16 } of source.runs) {
          if (chunks < 2) continue; // fewer than 2 N tokens: the rule refuses it
          const ours = await model.perplexity(text, { contextLength: N });
          expect(ours.tokens).toBe(counted);
          const truth = kv === 'f32' ? nll : nllKvF16;
          if (truth !== undefined)
            expect(Math.abs(ours.nll - truth), `N = ${N}, kv ${kv}`).toBeLessThan(kv === 'f32' ? 1e-4 : 3e-4);
        }
      }
      await model.dispose();
    }
  });
});
