// Speculation must not be seen: the same pieces, summary and session as without it, whatever is drafted.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { generate } from '../../src/generate/generate.ts';
import type { GenerateOptions, Generation, LogitSource, Piece, Summary } from '../../src/generate/options.ts';
import { Random } from '../../src/generate/random.ts';
import { load } from '../../src/index.ts';
import { ByteTokenizer, ContextSource } from './fakes.ts';

const tokenizer = new ByteTokenizer();
const bytes = (text: string) => [...new TextEncoder().encode(text)];
/** Half characters, a line break for stop texts, and an end token. */
const ALPHABET = [...bytes('abc \né'), 257];

function mixed(...values: number[]): number {
  let hash = 1;
  for (const value of values) {
    hash = Math.imul(hash ^ value, 0x9e3779b1);
    hash ^= hash >>> 14;
  }
  return (hash >>> 0) / 2 ** 32;
}

/** A text that goes on mostly as its last two tokens did before, now and then otherwise, and seldom ends. */
function repetitive(seed: number): (ids: readonly number[]) => Float32Array {
  return (ids) => {
    const logits = new Float32Array(300).fill(-20);
    const [a = 0, b = 0] = ids.slice(-2);
    for (const id of ALPHABET) logits[id] = 2 * mixed(seed, ids.length, id) + 9 * mixed(seed, a, b, id);
    logits[257]! -= 3;
    return logits;
  };
}

/** Says `text` after a prompt of `length` tokens, then the end token. */
function scripted(text: string, length: number): (ids: readonly number[]) => Float32Array {
  const script = bytes(text);
  return (ids) => {
    const logits = new Float32Array(300);
    logits[script[ids.length - length] ?? 257] = 20;
    return logits;
  };
}

interface Outcome {
  pieces: Piece[];
  summary: Omit<Summary, 'timings' | 'draftedTokens' | 'acceptedTokens'>;
  /** How many tokens the session holds after each piece, and which at the end. */
  held: number[];
  ids: number[];
  drafted: number;
  accepted: number;
}

/** @param leaveAt number of pieces after which the reader stops reading */
async function run(generation: Generation, ids: () => readonly number[], leaveAt = Infinity): Promise<Outcome> {
  const pieces: Piece[] = [];
  const held: number[] = [];
  for await (const piece of generation) {
    pieces.push(piece);
    held.push(ids().length);
    if (pieces.length === leaveAt) break;
  }
  const { timings: _, draftedTokens, acceptedTokens, ...summary } = await generation.summary();
  return { pieces, summary, held, ids: [...ids()], drafted: draftedTokens!, accepted: acceptedTokens! };
}

const seen = ({ pieces, summary, held, ids }: Outcome) => ({ pieces, summary, held, ids });

type Case = { prompt: number[]; options: GenerateOptions; contextLength: number; leaveAt: number; abortAt: number };

function randomCase(random: Random): Case {
  const below = (n: number) => Math.floor(random.next() * n);
  const one = <const T extends readonly unknown[]>(...of: T): T[number] => of[below(of.length)];
  const prompt = [256, ...Array.from({ length: 1 + below(30) }, () => ALPHABET[below(6)]!)];
  return {
    prompt,
    options: {
      temperature: one(0, 0, 0.3, 0.8, 1.5),
      topK: one(0, 3, 40),
      topP: one(1, 0.9),
      minP: one(0, 0.05),
      seed: below(1e6),
      repetitionPenalty: one(1, 1, 1.1),
      presencePenalty: one(0, 0, 0.5),
      frequencyPenalty: one(0, 0, 0.05),
      penaltyWindow: one(0, 8, 64),
      maxTokens: one(undefined, undefined, 1, 2, 9, 60),
      stop: one(undefined, undefined, '\n\n', ['ab', 'é c'], 'aaaa'),
      stopTokens: one(undefined, undefined, undefined, [98]),
      logprobs: one(undefined, true),
    },
    contextLength: prompt.length + one(0, 1, 5, 40, 120, 120),
    leaveAt: one(Infinity, Infinity, Infinity, 1, 7, 20),
    abortAt: one(Infinity, Infinity, Infinity, 1, 11, 30),
  };
}

describe('speculation', () => {
  it('gives what plain generation gives, in any case', async () => {
    const random = new Random(20);
    let drafted = 0;
    let accepted = 0;
    for (let i = 0; i < 400; i++) {
      const { prompt, options, contextLength, leaveAt, abortAt } = randomCase(random);
      const attempt = async (speculation: GenerateOptions['speculation']) => {
        const source = new ContextSource(repetitive(i), contextLength);
        const abort = new AbortController();
        const all = { ...options, speculation, signal: abort.signal };
        const generation = generate(source, tokenizer, prompt, all);
        let pieces = 0;
        const ids = () => {
          if (++pieces === abortAt) abort.abort();
          return source.ids;
        };
        return run(generation, ids, leaveAt);
      };
      const plain = await attempt(false);
      expect([plain.drafted, plain.accepted]).toEqual([0, 0]);
      const ngram = 2 + Math.floor(random.next() * 7);
      for (const speculation of [
        { ngram, draft: 1 + Math.floor(random.next() * 15) },
        { draft: 3 },
        'lookup' as const,
        { ngram },
      ]) {
        const outcome = await attempt(speculation);
        expect(seen(outcome), `case ${i}, ${JSON.stringify(speculation)}`).toEqual(seen(plain));
        drafted += outcome.drafted;
        accepted += outcome.accepted;
      }
    }
    // It was about something: drafts that hold, and drafts that do not.
    expect(accepted).toBeGreaterThan(1000);
    expect(drafted - accepted).toBeGreaterThan(1000);
  });

  it('computes a copied text in few calls', async () => {
    const text = 'The lazy dog. '.repeat(8);
    const prompt = tokenizer.encode('Copy: The lazy dog. ');
    const source = new ContextSource(scripted(text, prompt.length));
    const options = { temperature: 0, speculation: { draft: 8 } };
    const summary = await generate(source, tokenizer, prompt, options).summary();
    expect(summary).toMatchObject({ text, stop: 'eos' });
    // The prompt, three tokens that are found nowhere else or guide nobody, then nine at a time.
    expect(source.calls).toBeLessThan(1 + 3 + Math.ceil(text.length / 9) + 2);
    expect(summary.acceptedTokens).toBeGreaterThan(text.length - 20);
    expect(summary.draftedTokens! - summary.acceptedTokens!).toBeLessThan(9);
    expect(Math.max(...source.drafts.map(({ length }) => length))).toBe(8);
  });

  it('drafts no more than can be used', async () => {
    const prompt = tokenizer.encode('aaaaaaaa');
    const source = new ContextSource(scripted('a'.repeat(50), prompt.length), prompt.length + 6);
    const summary = await generate(source, tokenizer, prompt, { temperature: 0, speculation: { draft: 15 } }).summary();
    expect(summary).toMatchObject({ text: 'aaaaaa', stop: 'length', draftedTokens: 4, acceptedTokens: 4 });
    expect(source.ids.length).toBe(prompt.length + 5);
  });

  it('is off for sources that cannot take tokens back', async () => {
    const prompt = tokenizer.encode('aaaaaaaa');
    const logits = scripted('a'.repeat(50), prompt.length);
    const recurrent = new ContextSource(logits, 1000, 300, true);
    const plain: LogitSource = new ContextSource(logits);
    Object.assign(plain, { feedDraft: undefined });
    for (const source of [recurrent, plain]) {
      const summary = await generate(source, tokenizer, prompt, {
        temperature: 0,
        speculation: { draft: 4 },
      }).summary();
      expect(summary).toMatchObject({ text: 'a'.repeat(50), draftedTokens: 0, acceptedTokens: 0 });
    }
    expect(recurrent.drafts).toEqual([]);
  });

  it('ended by the signal within a draft leaves the accepted tokens only, and goes on from there', async () => {
    const prompt = tokenizer.encode('abcabc');
    const source = new ContextSource(scripted('abcabcabcabc', prompt.length));
    const abort = new AbortController();
    const options = { temperature: 0, speculation: { draft: 8 } };
    const generation = generate(source, tokenizer, prompt, { ...options, signal: abort.signal });
    const calls: number[] = [];
    for await (const _ of generation) {
      calls.push(source.calls);
      if (calls.length === 4) abort.abort();
    }
    // One draft for all of them: the fourth is in its middle.
    expect(calls).toEqual([1, 2, 2, 2]);
    expect(await generation.summary()).toMatchObject({ ids: bytes('abca'), stop: 'aborted' });
    expect(source.ids).toEqual([...prompt, ...bytes('abc')]);
    const rest = await generate(source, tokenizer, [...source.ids, 97], options).summary();
    expect(rest).toMatchObject({ text: 'bcabcabc', cachedTokens: prompt.length + 3 });
  });

  it('ended by the signal while a draft is computed leaves nothing of it', async () => {
    const prompt = tokenizer.encode('abcabc');
    const source = new ContextSource(scripted('abcabcabcabc', prompt.length));
    const abort = new AbortController();
    source.onFeed = () => {
      if (source.calls === 2) abort.abort();
    };
    const options = { temperature: 0, speculation: { draft: 8 }, signal: abort.signal };
    const summary = await generate(source, tokenizer, prompt, options).summary();
    expect(summary).toMatchObject({ ids: bytes('a'), stop: 'aborted', draftedTokens: 0, acceptedTokens: 0 });
    expect(source.drafts.length).toBe(1);
    expect(source.ids).toEqual(prompt);
  });

  it("passes on the source's error", async () => {
    const source = new ContextSource(scripted('abcabcabc', 7));
    source.onFeed = () => {
      if (source.drafts.length > 0) throw new Error('out of order');
    };
    const options = { temperature: 0, speculation: { draft: 2 } };
    await expect(generate(source, tokenizer, tokenizer.encode('abcabc'), options).summary()).rejects.toThrow(
      'out of order',
    );
  });

  it('is refused before anything is computed where it is not understood', async () => {
    const source = new ContextSource(scripted('', 0));
    const start = (speculation: unknown) =>
      generate(source, tokenizer, [1], { speculation } as GenerateOptions).summary();
    for (const [speculation, message] of [
      [true, 'options: speculation is true, expected "lookup", { ngram, draft } or false'],
      ['draft', 'options: speculation is "draft", expected "lookup", { ngram, draft } or false'],
      [null, 'options: speculation is null, expected "lookup", { ngram, draft } or false'],
      [[3], 'options: speculation is an array of 1, expected "lookup", { ngram, draft } or false'],
      [{ ngram: 1 }, 'options: speculation.ngram is 1, expected an integer from 2 to 8'],
      [{ ngram: '3' }, 'options: speculation.ngram is "3", expected an integer from 2 to 8'],
      [{ draft: 16 }, 'options: speculation.draft is 16, expected an integer from 1 to 15'],
      [{ draft: 0 }, 'options: speculation.draft is 0, expected an integer from 1 to 15'],
    ] as const)
      await expect(start(speculation)).rejects.toMatchObject({ code: 'invalid-option', message });
    expect(source.calls).toBe(0);
  });
});

describe('speculation that adapts', () => {
  afterEach(() => {
    vi.restoreAllMocks();
  });

  /** Ten units of a clock for a token alone, by `cost` for more; gives how much sooner a text comes than without. */
  async function gains(texts: readonly string[], cost: (tokens: number) => number): Promise<number[]> {
    let clock = 0;
    vi.spyOn(performance, 'now').mockImplementation(() => clock);
    const engine = {};
    const prompt = tokenizer.encode('The lazy dog. ');
    const results: number[] = [];
    for (const text of texts) {
      const source = new ContextSource(scripted(text, prompt.length), 4000);
      Object.assign(source, { engine });
      source.onFeed = (tokens) => {
        clock += 10 * cost(tokens);
      };
      const options: GenerateOptions = { temperature: 0, speculation: 'lookup' };
      const { timings, ...summary } = await generate(source, tokenizer, prompt, options).summary();
      expect(summary.text).toBe(text);
      results.push((10 * text.length) / timings.decodeMs);
    }
    return results;
  }

  const copy = 'The lazy dog. '.repeat(40);
  const random = new Random(5);
  const noise = Array.from({ length: 600 }, () => String.fromCharCode(97 + Math.floor(random.next() * 20))).join('');
  const cheap = (tokens: number) => 1 + (tokens - 1) / 4;
  const dear = (tokens: number) => (tokens === 1 ? 1 : 2 + tokens);

  it('gains where text is copied and batches are cheap', async () => {
    const [gain] = await gains([copy], cheap);
    expect(gain).toBeGreaterThan(2.2);
  });

  it('loses less than 3 % where nothing is copied', async () => {
    for (const cost of [cheap, dear]) {
      const [gain] = await gains([noise], cost);
      expect(gain).toBeGreaterThan(0.97);
    }
  });

  it('remembers what an engine does not do well', async () => {
    const [first = 0, second = 0] = await gains([copy.slice(0, 200), copy.slice(0, 200)], dear);
    expect(first).toBeGreaterThan(0.9);
    expect(first).toBeLessThan(1);
    expect(second).toBeCloseTo(1, 2);
  });
});

describe('speculation with the packaged model', () => {
  const story = 'Once upon a time there was a little dog. The little dog liked to play with a red ball. ';
  const prompts = [story.repeat(3), 'Once upon a time'];
  const samplings: GenerateOptions[] = [
    { temperature: 0, seed: 1 },
    { temperature: 0.5, seed: 7 },
    { temperature: 0.9, seed: 8, repetitionPenalty: 1.1, frequencyPenalty: 0.1 },
  ];

  // Threads share out rows, not tokens: one text shows that they agree on batches.
  for (const [threads, texts, ways] of [
    [1, prompts, samplings],
    [2, prompts.slice(0, 1), samplings.slice(1, 2)],
  ] as const)
    it(`gives the same 200 tokens, on ${threads === 1 ? 'one thread' : 'two threads'}`, async () => {
      const model = await load(undefined, { threads });
      let accepted = 0;
      for (const prompt of texts)
        for (const sampling of ways) {
          const attempt = async (speculation: GenerateOptions['speculation']) => {
            const session = await model.session();
            const options = { ...sampling, maxTokens: 200, logprobs: true, speculation };
            const outcome = await run(session.generate(prompt, options), () => session.ids);
            await session.dispose();
            return outcome;
          };
          const plain = await attempt(false);
          expect(plain.summary.ids.length).toBeGreaterThan(50);
          for (const speculation of ['lookup', { draft: 4 }, { ngram: 2, draft: 15 }] as const) {
            const outcome = await attempt(speculation);
            expect(seen(outcome)).toEqual(seen(plain));
            accepted += outcome.accepted;
          }
        }
      expect(accepted).toBeGreaterThan(15);
      await model.dispose();
    });

  it('gives the same while others compute between two tokens of a draft', async () => {
    const model = await load(undefined, { threads: 1 });
    const options = { temperature: 0, maxTokens: 40 };
    const [prompt = ''] = prompts;
    const plain = await model.generate(prompt, options).summary();
    const texts: string[] = [];
    const generation = model.generate(prompt, { ...options, speculation: { draft: 6 } });
    for await (const { text } of generation) {
      texts.push(text);
      for await (const _ of model.logits([5, 6, 7, 8, 9, 10, 11]));
    }
    expect(texts.join('')).toBe(plain.text);
    expect((await generation.summary()).acceptedTokens).toBeGreaterThan(0);
    await model.dispose();
  });
});
