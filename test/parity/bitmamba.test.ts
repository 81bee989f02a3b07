// BitMamba-2 against logits of the original program; tolerances as the truth's README explains.
import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { hasTruth, truthFloats, truthJson, truthPath } from '../truth.ts';
import { argmax, collect, meanNll, relativeRms } from './compare.ts';

interface Case {
  kind: 'random' | 'one' | 'long' | 'strict' | 'repeat';
  tokens: number[];
  top?: [id: number, logit: number][][];
  logitsFile: string;
  logitsPositions: number[];
  nll: number;
  greedy: { tokens: number[]; margin: number[] };
}

const path = (name: string) => `truth/bitmamba/${name}`;
const present = hasTruth(path('bm256.bin'), 'logits of bitmamba.cpp');

describe.runIf(present)('BitMamba-2', () => {
  for (const name of ['bm256', 'bm384', 'bm264'])
    it(`${name}: logits, likelihoods and greedy tokens`, async () => {
      const { cases } = truthJson<{ cases: Case[] }>(path(`${name}.expected.json`));
      expect(cases.map((c) => c.kind)).toEqual(['random', 'random', 'random', 'one', 'long', 'strict', 'repeat']);
      const model = await load(truthPath(path(`${name}.bin`)), { threads: 1 });
      for (const c of cases) {
        const rows = await collect(model.logits(c.tokens));
        const truth = truthFloats(path(c.logitsFile));
        const vocab = rows[0]!.length;
        const ours = new Float32Array(truth.length);
        for (const [k, p] of c.logitsPositions.entries()) ours.set(rows[p]!, k * vocab);
        const rms = relativeRms(ours, truth);
        console.log(`${name} ${c.kind}: relative RMS ${rms.toExponential(1)}`);
        expect(rms, c.kind).toBeLessThanOrEqual(c.kind === 'strict' ? 1.5e-5 : 0.04);
        for (const [p, top] of (c.top ?? []).entries())
          if (top[0]![1] - top[1]![1] >= 0.3) expect(argmax(rows[p]!), `${c.kind}: top-1 at ${p}`).toBe(top[0]![0]);
        if (c.tokens.length > 1) expect(Math.abs(meanNll(rows, c.tokens) - c.nll)).toBeLessThanOrEqual(0.03);
        const session = await model.session();
        let logits = await session.feed(c.tokens);
        for (const [step, t] of c.greedy.tokens.entries()) {
          if (c.greedy.margin[step]! >= 0.3) expect(argmax(logits), `${c.kind}: greedy token ${step}`).toBe(t);
          logits = await session.feed([t]);
        }
        await session.dispose();
      }
      await model.dispose();
    });

  it('bad files are refused, good ones run', async () => {
    const manifest = truthJson<{ file: string; expect: 'accept' | 'reject' | 'survive'; why: string }[]>(
      path('malformed/manifest.json'),
    );
    expect(manifest.length).toBeGreaterThanOrEqual(8);
    for (const { file, expect: wanted, why } of manifest) {
      const attempt = async () => {
        const model = await load(truthPath(path(`malformed/${file}`)), { threads: 1 });
        try {
          return await collect(model.logits([1, 2, 3]));
        } finally {
          await model.dispose();
        }
      };
      if (wanted === 'reject') await expect(attempt(), why).rejects.toThrow(/^(bitmamba|model): .+/);
      else if (wanted === 'accept')
        expect((await attempt()).flatMap((row) => [...row]).every(Number.isFinite)).toBe(true);
      else await attempt().catch((error) => expect(error.name).toBe('TernlightError'));
    }
  });

  it('4,000 tokens of generation take no more memory than one', async () => {
    const source = truthPath(path('bm256.bin'));
    const needs = async (contextLength: number) => {
      const model = await load(source, { threads: 1, contextLength });
      await model.dispose();
      return model.info.memory;
    };
    expect(await needs(100_000)).toEqual(await needs(1000));
    const model = await load(source, { threads: 1 });
    expect(model.info.contextLength).toBeGreaterThanOrEqual(1_000_000);
    const { grow } = WebAssembly.Memory.prototype;
    try {
      const first = await model.generate([5], { maxTokens: 1, temperature: 0 }).summary();
      expect(first.ids.length).toBe(1);
      WebAssembly.Memory.prototype.grow = () => {
        throw new Error('memory grew');
      };
      const long = await model.generate([5], { maxTokens: 4000, temperature: 1, topK: 0, topP: 1, seed: 7 }).summary();
      expect(long.ids.length).toBe(4000);
      expect(new Set(long.ids).size).toBeGreaterThan(50);
    } finally {
      WebAssembly.Memory.prototype.grow = grow;
      await model.dispose();
    }
  });

  it('a state that cannot be cut back is computed anew: the same text, whatever the session did before', async () => {
    const model = await load(truthPath(path('bm384.bin')), { threads: 1 });
    const prompt = [3, 1, 4, 1, 5, 9, 2, 6];
    const options = { maxTokens: 12, temperature: 0 };
    const fresh = await model.generate(prompt, options).summary();
    const session = await model.session();
    await session.generate([7, 7, 7], options).summary();
    const other = await session.generate(prompt, options).summary();
    expect(other.ids).toEqual(fresh.ids);
    expect(other.cachedTokens).toBe(0);
    // The conversation goes on: what the state holds is a beginning of the new prompt.
    const longer = [...prompt, ...other.ids, 11, 12];
    const next = await session.generate(longer, options).summary();
    expect(next.cachedTokens).toBeGreaterThanOrEqual(prompt.length + other.ids.length - 1);
    expect(next.ids).toEqual((await model.generate(longer, options).summary()).ids);
    await session.truncate(5);
    expect([...session.ids]).toEqual(longer.slice(0, 5));
    const logits = (await session.feed([42])).slice();
    const again = await model.session();
    expect(logits).toEqual(await again.feed([...longer.slice(0, 5), 42]));
    await model.dispose();
  });

  it('a tokenizer is found beside the file, or given; without one text is refused', async () => {
    const model = await load(truthPath(path('bm256.bin')), { threads: 1 });
    await expect(model.tokenize('hello')).rejects.toThrow(
      'tokenizer: the model comes without one, so it takes and gives ids only; give a tokenizer',
    );
    expect(model.info.notes.join()).toContain('comes without a tokenizer');
    await model.dispose();
    const gpt2 = 'truth/tokenizers/ggml-vocab-gpt-2.gguf';
    if (!hasTruth(gpt2, 'the vocabulary of GPT-2')) return;
    const given = await load(readFileSync(truthPath(path('bm256.bin'))), { threads: 1, tokenizer: truthPath(gpt2) });
    expect(await given.tokenize('Hello, I am')).toEqual([15496, 11, 314, 716]);
    await given.dispose();
  });
});
