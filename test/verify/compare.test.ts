// Two models side by side.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { Model } from '../../src/index.ts';
import { load, packagedModel } from '../../src/index.ts';
import { compareModels } from '../../src/verify/compare.ts';
import { converted } from '../convert/helpers.ts';

const packaged = new Uint8Array(readFileSync(fileURLToPath(packagedModel)));
const original = () => load(packaged, { threads: 1 });
const texts = ['Once upon a time there was a girl.', 'The dog ran home.'];

describe('compareModels', () => {
  it('finds a model equal to itself', async () => {
    const progress: number[] = [];
    const result = await compareModels(original, original, {
      texts,
      onProgress: (done, total) => progress.push(done / total),
    });
    expect(result).toMatchObject({ relativeRms: 0, maxDifference: 0, top1: 1, notes: [] });
    expect(result.nll).toBe(result.otherNll);
    const model = await original();
    let [sum, count, positions] = [0, 0, 0];
    for (const text of texts) {
      const ids = await model.tokenize(text);
      positions += ids.length;
      let at = 0;
      for await (const row of model.logits(ids.slice(0, -1))) {
        const max = Math.max(...row);
        const total = row.reduce((total, logit) => total + Math.exp(logit - max), 0);
        sum += max + Math.log(total) - row[ids[++at]!]!;
        count++;
      }
    }
    await model.dispose();
    expect(result.nll).toBeCloseTo(sum / count, 9);
    expect(result.positions).toBe(positions);
    expect(progress.at(-1)).toBe(1);
  });

  it('measures what a coarser embedding changes', async () => {
    const { bytes } = await converted(packaged, { embedding: 'Q6_K' });
    const result = await compareModels(() => load(bytes, { threads: 1 }), original);
    expect(result.relativeRms).toBeGreaterThan(0.005);
    expect(result.relativeRms).toBeLessThan(0.06);
    expect(result.top1).toBeGreaterThan(0.85);
    expect(result.maxDifference).toBeGreaterThan(0);
    expect(result.nll).not.toBe(result.otherNll);
  });

  it('holds one model at a time, and gives both back', async () => {
    let open = 0;
    const watched = async (): Promise<Model> => {
      expect(open++).toBe(0);
      const model = await original();
      const dispose = model.dispose.bind(model);
      return Object.assign(model, {
        dispose: async () => {
          open--;
          await dispose();
        },
      });
    };
    await compareModels(watched, watched, { texts });
    expect(open).toBe(0);
    await expect(
      compareModels(watched, watched, { texts, signal: AbortSignal.abort(new Error('enough')) }),
    ).rejects.toThrow('enough');
    expect(open).toBe(0);
  });

  it('refuses models of other vocabularies', async () => {
    const other = () => load('synthetic:tiny', { threads: 1 });
    await expect(compareModels(original, other, { texts })).rejects.toThrow(
      'compare: the vocabularies have 2048 and 512 tokens, expected two files of one model',
    );
  });

  it('refuses texts that predict nothing', async () => {
    await expect(compareModels(original, original, { texts: [''] })).rejects.toThrow(
      'compare: the texts have no two tokens, expected something to predict',
    );
  });

  it('cuts what is longer than the context', async () => {
    const short = () => load(packaged, { threads: 1, contextLength: 16 });
    const { positions, notes } = await compareModels(short, original, { texts: ['word '.repeat(50)] });
    expect(positions).toBe(16);
    expect(notes).toEqual([expect.stringMatching(/^of a text of \d+ tokens the first 16 are compared$/)]);
  });
});
