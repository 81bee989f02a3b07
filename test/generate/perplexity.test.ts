import { describe, expect, it } from 'vitest';
import { type LogitRows, perplexity } from '../../src/generate/perplexity.ts';
import { Random } from '../../src/generate/random.ts';

const VOCAB = 7;

/** Logits that depend on the tokens before, as a model's do. */
function rowOf(tokens: readonly number[]): Float32Array {
  const random = new Random(tokens.reduce((hash, id) => (hash * 31 + id) % 1e9, tokens.length));
  return Float32Array.from({ length: VOCAB }, () => 3 * random.next());
}

const asked: { chunk: readonly number[]; from: number }[] = [];
const rows: LogitRows = async function* (chunk, from) {
  asked.push({ chunk, from });
  for (let i = from; i < chunk.length; i++) yield rowOf(chunk.slice(0, i + 1));
};

const ids = Array.from({ length: 45 }, (_, i) => (i * 5) % VOCAB);

/** The rule in the words of the specification. */
function byTheRule(ctx: number, bos: number | undefined): { nll: number; tokens: number } {
  const losses: number[] = [];
  for (let i = 0; i < Math.floor(ids.length / ctx); i++) {
    const chunk = ids.slice(i * ctx, i * ctx + ctx);
    if (bos !== undefined) chunk[0] = bos;
    for (let at = Math.floor(ctx / 2); at <= ctx - 2; at++) {
      const logits = [...rowOf(chunk.slice(0, at + 1))];
      losses.push(Math.log(logits.reduce((sum, l) => sum + Math.exp(l), 0)) - logits[chunk[at + 1]!]!);
    }
  }
  return { nll: losses.reduce((a, b) => a + b) / losses.length, tokens: losses.length };
}

describe('perplexity', () => {
  it('scores the second half of each chunk', async () => {
    for (const ctx of [4, 5, 10, 16, 22]) {
      for (const bosId of [undefined, 6]) {
        const { nll, ppl, tokens } = await perplexity(ids, { ctx, addsBos: bosId !== undefined, bosId }, rows);
        const expected = byTheRule(ctx, bosId);
        expect(tokens).toBe(expected.tokens);
        expect(nll).toBeCloseTo(expected.nll, 12);
        expect(ppl).toBeCloseTo(Math.exp(expected.nll), 10);
      }
    }
    // 45 tokens are two chunks of 16, with 7 predictions each.
    expect((await perplexity(ids, { ctx: 16, addsBos: false, bosId: 6 }, rows)).tokens).toBe(14);
    expect(asked.at(-1)).toEqual({ chunk: ids.slice(16, 31), from: 8 });
  });

  it('tells how far it is, and stops at the signal', async () => {
    const seen: [number, number][] = [];
    const abort = new AbortController();
    const onProgress = (done: number, total: number) => {
      seen.push([done, total]);
      if (done === 2) abort.abort();
    };
    const result = perplexity(ids, { ctx: 10, addsBos: false, bosId: undefined }, rows, onProgress, abort.signal);
    await expect(result).rejects.toMatchObject({ name: 'AbortError' });
    expect(seen).toEqual([
      [1, 4],
      [2, 4],
    ]);
  });

  it('refuses what the rule can not be used on', async () => {
    const attempt = (ctx: number) => perplexity(ids, { ctx, addsBos: false, bosId: undefined }, rows);
    await expect(attempt(23)).rejects.toThrow(
      'perplexity: the text has 45 tokens, expected at least 46, twice the context of 23',
    );
    await expect(attempt(3)).rejects.toThrow('perplexity: context is 3, expected an integer from 4');
    await expect(attempt(4.5)).rejects.toThrow('perplexity: context is 4.5');
    const short: LogitRows = async function* () {};
    await expect(perplexity(ids, { ctx: 10, addsBos: false, bosId: undefined }, short)).rejects.toThrow(
      'got 0 rows, expected 4',
    );
  });
});
