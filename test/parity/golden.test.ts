// Exact formulas: logits of transformers in float32, and the packaged model's own in float64.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { argmax, collect, relativeRms } from './compare.ts';

const golden = (name: string) => fileURLToPath(new URL(`../golden/models/${name}`, import.meta.url));
const json = <T>(name: string) => JSON.parse(readFileSync(golden(name), 'utf8')) as T;

interface Logits {
  prompt_ids: number[];
  [model: string]: unknown;
}
interface Rows {
  argmax: number[];
  first: number[];
  last: number[];
}

describe('transformers float32', () => {
  const cases = [
    ['tiny-bitnet-b158-i2s.gguf', 'bitnet_b158_offline'],
    ['tiny-llama-i2s.gguf', 'llama_bitlinear'],
    ['tiny-qwen3-q1_0-yarn.gguf', 'qwen3_q1_0_yarn'],
  ] as const;
  for (const [file, key] of cases) {
    it(`${file}: logits within 1e-3, argmax equal everywhere`, async () => {
      const expected = json<Logits>('expected-logits.json');
      const truth = expected[key] as Rows;
      // Transformers multiplies Q1_0 weights with f32 activations; the others' are int8 there, too.
      const activations = key === 'qwen3_q1_0_yarn' ? 'float' : 'auto';
      const model = await load(golden(file), { kv: 'f32', head: 'stored', activations, threads: 1 });
      const rows = await collect(model.logits(expected.prompt_ids));
      expect(rows.map(argmax)).toEqual(truth.argmax);
      const distance = (row: Float32Array, other: number[]) => Math.max(...other.map((v, i) => Math.abs(v - row[i]!)));
      expect(distance(rows[0]!, truth.first)).toBeLessThan(1e-3);
      expect(distance(rows.at(-1)!, truth.last)).toBeLessThan(1e-3);
      await model.dispose();
    });
    for (const options of [{}, { kv: 'f16', head: 'int8' }] as const) {
      it(`${file}: argmax equal with ${JSON.stringify(options)}`, async () => {
        const expected = json<Logits>('expected-logits.json');
        const model = await load(golden(file), { threads: 1, ...options });
        const rows = await collect(model.logits(expected.prompt_ids));
        expect(rows.map(argmax)).toEqual((expected[key] as Rows).argmax);
        await model.dispose();
      });
    }
  }
});

interface Story {
  prompt: string;
  ids: number[];
  logits: string;
  greedy: number[];
  margin?: number[];
  margins?: number[];
}

describe('the packaged model', () => {
  for (const options of [{}, { kv: 'f32', head: 'stored' }, { kv: 'f32', head: 'int8' }] as const) {
    it(`${JSON.stringify(options)}: ids, logits and greedy tokens of exact arithmetic`, async () => {
      const model = await load(undefined, { threads: 1, ...options });
      const { cases } = json<{ cases: Story[] }>('golden.TQ2_0-q8_0.json');
      expect(cases.length).toBeGreaterThanOrEqual(8);
      for (const story of cases) {
        expect(await model.tokenize(story.prompt)).toEqual(story.ids);
        const session = await model.session();
        let logits = await session.feed(story.ids);
        const bytes = Buffer.from(story.logits, 'base64');
        const truth = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
        expect(relativeRms(logits.slice(), truth)).toBeLessThanOrEqual(0.02);
        const margins = story.margins ?? story.margin ?? [];
        expect(margins.length).toBe(story.greedy.length);
        for (const [i, id] of story.greedy.entries()) {
          if (margins[i]! < 0.1) break;
          expect(argmax(logits), `token ${i} after "${story.prompt}"`).toBe(id);
          if (i + 1 < story.greedy.length) logits = await session.feed([id]);
        }
        await session.dispose();
      }
      await model.dispose();
    });
  }
});
