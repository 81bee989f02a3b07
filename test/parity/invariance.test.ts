// One setting, one answer: builds, kernels, threads and chunks may not change a bit of any logit.
import { describe, expect, it } from 'vitest';
import { type LoadOptions, load } from '../../src/index.ts';
import { hasTruth, truthJson, truthPath } from '../truth.ts';
import { collect } from './compare.ts';
import { configurations } from './configurations.ts';

/** Text of the packaged model's kind, longer than its longest chunk. */
const PROMPT = 'Once upon a time, there was a little girl named Lily. She had a red ball and a big dog. '.repeat(8);

async function logitBits(
  source: string | undefined,
  ids: readonly number[],
  options: LoadOptions,
): Promise<Uint32Array[]> {
  const model = await load(source, options);
  const rows = await collect(model.logits(ids));
  await model.dispose();
  return rows.map((row) => new Uint32Array(row.buffer));
}

/** The same ids fed in pieces of `size`, each row of logits. */
async function inPieces(
  source: string | undefined,
  ids: readonly number[],
  size: number,
  options: LoadOptions,
): Promise<Uint32Array[]> {
  const model = await load(source, { ...options, chunkTokens: 256 });
  const session = await model.session();
  const last: Uint32Array[] = [];
  for (let i = 0; i < ids.length; i += size)
    last.push(new Uint32Array((await session.feed(ids.slice(i, i + size))).slice().buffer));
  await model.dispose();
  return last;
}

describe('bits', () => {
  it('of builds, kernels and threads are equal (packaged model)', async () => {
    const model = await load();
    const ids = (await model.tokenize(PROMPT)).slice(0, 150);
    await model.dispose();
    expect(ids.length).toBe(150);
    const all = await configurations([1, 2, 3]);
    expect(all.length).toBeGreaterThanOrEqual(4);
    let first: Uint32Array[] | undefined;
    for (const [name, options] of all) {
      const rows = await logitBits(undefined, ids, options);
      first ??= rows;
      for (const [i, row] of rows.entries()) expect(row, `${name}, position ${i}`).toEqual(first[i]);
    }
  });

  it('of single tokens that one thread walks alone are those of all (packaged model)', async () => {
    const ids = Array.from({ length: 40 }, (_, i) => (i * 37 + 11) % 2000);
    const all = await inPieces(undefined, ids, 1, { threads: 2 });
    // As many as there are processors, so that a small model's single tokens are walked by one.
    expect(await inPieces(undefined, ids, 1, {})).toEqual(all);
    expect(await inPieces(undefined, [...ids, ...ids], 17, {})).toEqual(
      await inPieces(undefined, [...ids, ...ids], 17, { threads: 2 }),
    );
  });

  it('of chunks of 1, 7, 64 and 129 tokens are equal (packaged model)', async () => {
    const model = await load();
    const ids = (await model.tokenize(PROMPT)).slice(0, 140);
    await model.dispose();
    for (const kv of ['f32', 'f16', 'i8', 'i4'] as const) {
      for (const head of ['stored', 'int8'] as const) {
        const options = { threads: 1, kv, head };
        const single = await inPieces(undefined, ids, 1, options);
        expect(single.length).toBe(140);
        for (const size of [7, 64, 129]) {
          const rows = await inPieces(undefined, ids, size, options);
          for (const [i, row] of rows.entries()) {
            const position = Math.min((i + 1) * size, ids.length) - 1;
            expect(row, `chunks of ${size}, position ${position}, ${kv}, ${head}`).toEqual(single[position]);
          }
        }
      }
    }
  });

  const families: [file: string, options: LoadOptions][] = [
    ['truth/models/qwen3-binvar-bpe2051.Q1_0.gguf', {}],
    ['truth/models/qwen3-binvar-bpe2051.Q1_0.gguf', { activations: 'float' }],
    ['truth/models/qwen3-var-bpe2051.Q2_0.gguf', {}],
    ['truth/models/qwen3-ternemb-bpe2k.Q2_0.gguf', { activations: 'int8' }],
    ['truth/models/llama-var80-bpe1283.TQ1_0.gguf', { activations: 'float' }],
    ['truth/models/qwen3-var-bpe2051.Q2_0.gguf', { kv: 'i8' }],
    ['truth/models/llama-var80-bpe1283.TQ1_0.gguf', { kv: 'i4' }],
    ['truth/bitmamba/bm384.bin', {}],
  ];
  const there = hasTruth('truth/bitmamba/bm384.bin', 'bits of the other families');
  for (const [name, chosen] of there ? families : [])
    it(`of threads, kernels and chunks are equal (${name}, ${JSON.stringify(chosen)})`, async () => {
      const ids = Array.from({ length: 70 }, (_, i) => (i * 37 + 5) % 250);
      const source = truthPath(name);
      const all = await configurations([1, 2, 3]);
      const first = await logitBits(source, ids, { ...all[0]![1], ...chosen });
      for (const [label, options] of all.slice(1)) {
        const rows = await logitBits(source, ids, { ...options, ...chosen });
        for (const [i, row] of rows.entries()) expect(row, `${label}, position ${i}`).toEqual(first[i]);
      }
      for (const size of [1, 7, 64]) {
        const rows = await inPieces(source, ids, size, { threads: 1, ...chosen });
        for (const [i, row] of rows.entries()) {
          const position = Math.min((i + 1) * size, ids.length) - 1;
          expect(row, `chunks of ${size}, position ${position}`).toEqual(first[position]);
        }
      }
    });

  const big = 'truth/models/bitnet158-ffn6912-bpe1027.I2_S';
  const long = 'truth/models/llama-long-spm512.TQ2_0';
  const present = hasTruth(`${big}.gguf`, 'bits at K = 6912 and past 512 positions');
  for (const name of present ? [big, long] : []) {
    it(`of threads, kernels and chunks are equal at 600 tokens (${name})`, async () => {
      const { cases } = truthJson<{ cases: { tokens: number[] }[] }>(`${name}.expected.json`);
      const { tokens } = cases[2]!;
      expect(tokens.length).toBe(600);
      const source = truthPath(`${name}.gguf`);
      const all = await configurations([1, 2, 3]);
      const first = await logitBits(source, tokens, all[0]![1]);
      for (const [label, options] of all.slice(1)) {
        const rows = await logitBits(source, tokens, options);
        for (const [i, row] of rows.entries()) expect(row, `${label}, position ${i}`).toEqual(first[i]);
      }
      for (const size of [7, 64, 129]) {
        const rows = await inPieces(source, tokens, size, { threads: 1 });
        for (const [i, row] of rows.entries()) {
          const position = Math.min((i + 1) * size, tokens.length) - 1;
          expect(row, `chunks of ${size}, position ${position}`).toEqual(first[position]);
        }
      }
    });
  }
});
