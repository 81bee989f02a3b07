import { describe, expect, it } from 'vitest';
import { generate } from '../../src/generate/generate.ts';
import type { GenerateOptions, Piece } from '../../src/generate/options.ts';
import { ByteTokenizer, ScriptedSource } from './fakes.ts';

const tokenizer = new ByteTokenizer();
const bytes = (text: string) => [...new TextEncoder().encode(text)];
const prompt = tokenizer.encode('Say: ');

function start(answer: string | number[], options: GenerateOptions = {}, contextLength?: number) {
  const script = typeof answer === 'string' ? bytes(answer) : answer;
  const source = new ScriptedSource(prompt.length, script, contextLength);
  return { source, generation: generate(source, tokenizer, prompt, { temperature: 0, ...options }) };
}

async function collect(pieces: AsyncIterable<Piece>): Promise<Piece[]> {
  const all: Piece[] = [];
  for await (const piece of pieces) all.push(piece);
  return all;
}

const textOf = (pieces: Piece[]) => pieces.map(({ text }) => text).join('');

describe('ends', () => {
  it('at an end token, which is not among the ids', async () => {
    const { generation } = start('héllo');
    const pieces = await collect(generation);
    const summary = await generation.summary();
    expect(summary).toMatchObject({
      text: 'héllo',
      ids: bytes('héllo'),
      stop: 'eos',
      promptTokens: 6,
      cachedTokens: 0,
    });
    expect(textOf(pieces)).toBe('héllo');
    expect(pieces.map(({ id }) => id)).toEqual(summary.ids);
    // Half a character has no text yet.
    expect(pieces.map(({ text }) => text)).toEqual(['h', '', 'é', 'l', 'l', 'o']);
  });

  it('at a stop text, whose ids are among the ids', async () => {
    const summary = await start('one.\n\ntwo', { stop: ['\n\n', 'zzz'] }).generation.summary();
    expect(summary).toMatchObject({ text: 'one.', ids: bytes('one.\n\n'), stop: 'stop' });
  });

  it('at a stop token', async () => {
    const summary = await start('abcd', { stopTokens: [99] }).generation.summary();
    expect(summary).toMatchObject({ text: 'ab', ids: bytes('ab'), stop: 'stop' });
  });

  it('at maxTokens, with the text that was held back', async () => {
    const { generation, source } = start('ab\ncd', { maxTokens: 3, stop: '\n\n' });
    const pieces = await collect(generation);
    expect(pieces.map(({ text }) => text)).toEqual(['a', 'b', '\n']);
    expect(await generation.summary()).toMatchObject({ text: 'ab\n', ids: bytes('ab\n'), stop: 'length' });
    // The last token is not computed: nobody needs its logits.
    expect(source.ids.length).toBe(prompt.length + 2);
  });

  it('with U+FFFD for a character that stays unfinished', async () => {
    const { generation } = start([0x61, 0xc3], { maxTokens: 2 });
    expect(textOf(await collect(generation))).toBe('a\uFFFD');
    const atEnd = start([0x61, 0xc3]).generation;
    const pieces = await collect(atEnd);
    expect(pieces.at(-1)).toEqual({ text: '\uFFFD', id: 257 });
    expect((await atEnd.summary()).text).toBe('a\uFFFD');
  });

  it('where the context is full', async () => {
    const { generation, source } = start('abcdefgh', {}, prompt.length + 3);
    expect(await generation.summary()).toMatchObject({ text: 'abc', stop: 'length' });
    expect(source.ids.length).toBeLessThanOrEqual(prompt.length + 3);
    expect(await start('abc', {}, prompt.length).generation.summary()).toMatchObject({ text: '', stop: 'length' });
  });

  it('without a token where none is asked for, the prompt computed', async () => {
    const { generation, source } = start('abc', { maxTokens: 0 });
    expect(await generation.summary()).toMatchObject({ text: '', ids: [], stop: 'length' });
    expect(source.ids).toEqual(prompt);
  });
});

describe('prompt', () => {
  it('computes only what is not in the cache, and the last token always', async () => {
    const source = new ScriptedSource(prompt.length, bytes('ok'));
    await generate(source, tokenizer, prompt, { temperature: 0 }).summary();
    source.fed.length = 0;
    const again = await generate(source, tokenizer, prompt, { temperature: 0 }).summary();
    expect(again).toMatchObject({ text: 'ok', cachedTokens: prompt.length - 1 });
    expect(source.fed[0]).toEqual([prompt.at(-1)]);
    source.fed.length = 0;
    const other = tokenizer.encode('Sax: ');
    expect((await generate(source, tokenizer, other, { temperature: 0 }).summary()).cachedTokens).toBe(3);
    expect(source.fed[0]).toEqual(other.slice(3));
  });

  it("may be the session's own ids", async () => {
    const source = new ScriptedSource(prompt.length, bytes('ok'));
    await source.feed(prompt);
    expect((await generate(source, tokenizer, source.ids, { temperature: 0 }).summary()).text).toBe('ok');
  });

  it('is refused before anything is computed', async () => {
    const source = new ScriptedSource(0, [], 4);
    const summary = (ids: readonly number[], options: GenerateOptions = {}) =>
      generate(source, tokenizer, ids, options).summary();
    await expect(summary([1, 2, 3, 4, 5])).rejects.toMatchObject({
      code: 'context-full',
      message:
        'prompt: it has 5 tokens, expected at most 4, the context; shorten it, or load the model with a larger contextLength',
    });
    await expect(summary([])).rejects.toThrow('prompt: it has no tokens, expected one at least');
    await expect(summary([1, 300])).rejects.toThrow('prompt: it has the id 300, expected integers from 0 to 299');
    await expect(summary([1], { maxTokens: -1 })).rejects.toThrow('options: maxTokens is -1, expected an integer >= 0');
    await expect(summary([1], { stop: '' })).rejects.toThrow('options: stop has ""');
    await expect(summary([1], { stopTokens: 5 as never })).rejects.toThrow(
      'options: stopTokens is 5, expected an array',
    );
    await expect(summary([1], { topP: 3 })).rejects.toThrow('options: topP is 3');
    expect(source.fed).toEqual([]);
  });
});

describe('signal', () => {
  it('ends a generation that has not begun', async () => {
    const { generation, source } = start('abc', { signal: AbortSignal.abort() });
    expect(await generation.summary()).toMatchObject({ text: '', stop: 'aborted' });
    expect(source.fed).toEqual([]);
  });

  it('ends the computation of a prompt', async () => {
    const abort = new AbortController();
    const { generation, source } = start('abc', { signal: abort.signal });
    source.onFeed = () => {
      if (source.ids.length === 3) abort.abort();
    };
    expect(await generation.summary()).toMatchObject({ text: '', ids: [], stop: 'aborted' });
    expect(source.ids).toEqual(prompt.slice(0, 3));
  });

  it('ends between two tokens, with the text that was held back', async () => {
    const abort = new AbortController();
    const { generation } = start('ab\ncd', { signal: abort.signal, stop: '\n\n' });
    const pieces: Piece[] = [];
    for await (const piece of generation) {
      pieces.push(piece);
      if (pieces.length === 3) abort.abort();
    }
    expect(textOf(pieces)).toBe('ab\n');
    expect(await generation.summary()).toMatchObject({ text: 'ab\n', ids: bytes('ab\n'), stop: 'aborted' });
  });

  it('is seen although no token waits for anything: timers get a turn', async () => {
    const { generation } = start(new Array(900).fill(97), { signal: AbortSignal.timeout(60) });
    for await (const _ of generation) for (const end = performance.now() + 2; performance.now() < end; );
    const { ids, stop } = await generation.summary();
    expect(stop).toBe('aborted');
    expect(ids.length).toBeLessThan(200);
  });
});

describe('iteration', () => {
  it('left with break leaves the source usable', async () => {
    const { generation, source } = start('abcdef');
    for await (const piece of generation) if (piece.text === 'b') break;
    expect(await generation.summary()).toMatchObject({ text: 'ab', ids: bytes('ab'), stop: 'aborted' });
    expect(source.ids).toEqual([...prompt, ...bytes('a')]);
    expect(await generate(source, tokenizer, prompt, { temperature: 0 }).summary()).toMatchObject({
      text: 'abcdef',
      cachedTokens: prompt.length - 1,
    });
  });

  it('happens once', async () => {
    const { generation } = start('ab');
    await collect(generation);
    await expect(collect(generation)).rejects.toThrow('generation: it can be iterated once');
    const other = start('ab').generation;
    await other.summary();
    await expect(collect(other)).rejects.toThrow('generation: it can be iterated once');
  });

  it('can be given up for the summary', async () => {
    const { generation } = start('abc');
    const seen: string[] = [];
    for await (const { text } of generation) {
      seen.push(text);
      expect((await generation.summary()).text).toBe('abc');
    }
    expect(seen).toEqual(['a']);
    expect(await generation.summary()).toEqual(await generation.summary());
  });

  it("throws the source's error, and the summary the same", async () => {
    const { generation, source } = start('abc');
    source.onFeed = () => {
      if (source.ids.length > prompt.length) throw new Error('out of order');
    };
    await expect(collect(generation)).rejects.toThrow('out of order');
    await expect(generation.summary()).rejects.toThrow('out of order');
  });
});

describe('summary', () => {
  it('tells the seed that repeats it', async () => {
    const options = { temperature: 5, topK: 0, topP: 1, maxTokens: 20 };
    const first = await start('abc', options).generation.summary();
    const second = await start('abc', { ...options, seed: first.seed }).generation.summary();
    expect(second.ids).toEqual(first.ids);
    expect(first.ids.every((id) => id < tokenizer.vocabSize)).toBe(true);
  });

  it('tells what time it took, without that of the reader', async () => {
    const { generation, source } = start('abcdef');
    source.onFeed = () => new Promise((resolve) => setTimeout(resolve, 5));
    for await (const _ of generation) await new Promise((resolve) => setTimeout(resolve, 40));
    const { timings } = await generation.summary();
    expect(timings.prefillMs).toBeGreaterThan(20);
    expect(timings.decodeMs).toBeGreaterThan(20);
    expect(timings.decodeMs).toBeLessThan(200);
    expect(timings.prefillTokensPerSecond).toBeCloseTo((6 * 1000) / timings.prefillMs);
    expect(timings.decodeTokensPerSecond).toBeCloseTo((6 * 1000) / timings.decodeMs);
  });

  it('pieces carry log probabilities when asked', async () => {
    const [piece] = await collect(start('a', { logprobs: true }).generation);
    // 298 logits of 0, one of 20, one of 30.
    expect(piece!.logprob).toBeCloseTo(20 - Math.log(298 + Math.exp(20) + Math.exp(30)), 6);
    expect((await collect(start('a').generation))[0]).not.toHaveProperty('logprob');
  });
});
