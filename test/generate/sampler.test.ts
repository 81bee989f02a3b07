import { describe, expect, it } from 'vitest';
import type { Metadata } from '../../src/formats/types.ts';
import type { SamplingOptions } from '../../src/generate/options.ts';
import { Random } from '../../src/generate/random.ts';
import { logprob, Sampler } from '../../src/generate/sampler.ts';
import { checkSampling, fileSampling } from '../../src/generate/sampling-options.ts';
import { likeliest } from '../../src/generate/top-k.ts';

const plain: SamplingOptions = { temperature: 1, topK: 0, topP: 1, minP: 0, seed: 1 };

/** Gaussian-like logits, seeded. */
function logitsOf(count: number, seed: number, spread = 4): Float32Array {
  const random = new Random(seed);
  return Float32Array.from({ length: count }, () => spread * (random.next() + random.next() + random.next() - 1.5));
}

/** Which tokens can come, and how often they do in many draws. */
function shares(logits: Float32Array, options: SamplingOptions, draws = 20_000, vocabSize = logits.length): number[] {
  const sampler = new Sampler({ ...plain, ...options }, vocabSize);
  const counts = new Array<number>(logits.length).fill(0);
  for (let i = 0; i < draws; i++) counts[sampler.sample(logits, [])]!++;
  return counts.map((n) => n / draws);
}

function softmax(logits: readonly number[], temperature = 1): number[] {
  const max = Math.max(...logits);
  const weights = logits.map((l) => Math.exp((l - max) / temperature));
  const total = weights.reduce((a, b) => a + b);
  return weights.map((w) => w / total);
}

const drawn = (logits: Float32Array, options: SamplingOptions) =>
  shares(logits, options).flatMap((share, id) => (share > 0 ? [id] : []));

describe('likeliest', () => {
  it('is the beginning of a sort, the lower id first on ties', () => {
    for (const [count, k] of [
      [1, 1],
      [7, 3],
      [100, 40],
      [1000, 1000],
      [5000, 1],
    ] as const) {
      const values = logitsOf(count, k).map((x) => Math.round(x)); // many ties
      const sorted = Array.from({ length: count }, (_, id) => id).sort((a, b) => values[b]! - values[a]! || a - b);
      expect([...likeliest(values, count, k)]).toEqual(sorted.slice(0, k));
    }
  });
});

describe('Random', () => {
  it('gives these numbers on every runtime', () => {
    const firsts = [0, 1, 2 ** 32, 2 ** 53 - 1].map((seed) => new Random(seed).next());
    expect(new Set(firsts).size).toBe(4);
    expect(firsts).toMatchInlineSnapshot(`
      [
        0.7714734441665727,
        0.07993117294866192,
        0.4908279808954922,
        0.3225241655010783,
      ]
    `);
  });

  it('is uniform', () => {
    const random = new Random(5);
    const counts = new Array<number>(16).fill(0);
    for (let i = 0; i < 64_000; i++) counts[Math.floor(random.next() * 16)]!++;
    for (const count of counts) expect(Math.abs(count - 4000)).toBeLessThan(300);
  });
});

describe('greedy', () => {
  const greedy = { temperature: 0 };

  it('takes the greatest, the lowest id on ties', () => {
    expect(new Sampler(greedy, 4).sample(Float32Array.of(1, 3, 3, 2), [])).toBe(1);
  });

  it('never takes a row without a token', () => {
    expect(new Sampler(greedy, 2).sample(Float32Array.of(1, 0, 9), [])).toBe(0);
    expect(shares(Float32Array.of(1, 0, 9), {}, 1000, 2)[2]).toBe(0);
  });

  it('stops at logits that are no numbers', () => {
    const sample =
      (...logits: number[]) =>
      () =>
        new Sampler(greedy, logits.length).sample(Float32Array.from(logits), []);
    expect(sample(1, Number.NaN)).toThrow('sampler: the logit of token 1 is NaN, expected finite numbers');
    expect(sample(-Infinity, -Infinity)).toThrow('sampler: all logits are -Infinity');
    expect(sample(1, Infinity)).toThrow('sampler: the logit of token 1 is Infinity');
    expect(sample(1, -Infinity)()).toBe(0);
  });
});

describe('draws', () => {
  it('follow the softmax at the temperature', () => {
    const logits = [2, 1, 0.5, -1, -3];
    for (const temperature of [0.5, 1, 2]) {
      const expected = softmax(logits, temperature);
      shares(Float32Array.from(logits), { temperature }).forEach((share, id) => {
        expect(Math.abs(share - expected[id]!)).toBeLessThan(0.015);
      });
    }
  });

  it('keep topK, the lower id on ties', () => {
    expect(drawn(Float32Array.of(1, 2, 1, 1, 2), { topK: 3 })).toEqual([0, 1, 4]);
  });

  it('keep the token that crosses topP', () => {
    const logits = Float32Array.from([0.5, 0.3, 0.15, 0.05].map(Math.log));
    expect(drawn(logits, { topP: 0.49 })).toEqual([0]);
    expect(drawn(logits, { topP: 0.51 })).toEqual([0, 1]);
    expect(drawn(logits, { topP: 0.9 })).toEqual([0, 1, 2]);
    expect(drawn(logits, { topP: 0 })).toEqual([0]);
    // Of what topK leaves: 0.5 / 0.8 and 0.3 / 0.8.
    expect(drawn(logits, { topP: 0.6, topK: 2 })).toEqual([0]);
    // At the temperature: shares 0.71, 0.26, 0.06, 0.01.
    expect(drawn(logits, { topP: 0.6, temperature: 0.5 })).toEqual([0]);
  });

  it('drop what is less likely than minP times the likeliest', () => {
    const logits = Float32Array.from([0.5, 0.3, 0.15, 0.05].map(Math.log));
    expect(drawn(logits, { minP: 0.31 })).toEqual([0, 1]);
    expect(drawn(logits, { minP: 0.29 })).toEqual([0, 1, 2]);
    expect(drawn(logits, { minP: 1 })).toEqual([0]);
  });

  it('give the nucleus of a flat distribution without topK', () => {
    const ids = drawn(new Float32Array(1000), { topP: 0.5 });
    expect(ids.length).toBe(500);
    expect(ids.at(-1)).toBe(499);
  });

  it('are the same for a seed, here and on every runtime', () => {
    const logits = logitsOf(1000, 3);
    const run = (seed: number, options: SamplingOptions = {}) => {
      const sampler = new Sampler({ seed, ...options }, 1000);
      return Array.from({ length: 12 }, () => sampler.sample(logits, []));
    };
    expect(run(1)).toEqual(run(1));
    expect(run(1)).not.toEqual(run(2));
    expect([
      run(7),
      run(2 ** 53 - 1, { topK: 0 }),
      run(7, { topK: 0, topP: 1, temperature: 1.5 }),
    ]).toMatchInlineSnapshot(`
      [
        [
          140,
          329,
          893,
          691,
          832,
          477,
          95,
          477,
          496,
          917,
          73,
          836,
        ],
        [
          329,
          73,
          140,
          691,
          329,
          904,
          329,
          496,
          792,
          477,
          178,
          140,
        ],
        [
          140,
          493,
          863,
          591,
          405,
          245,
          533,
          197,
          353,
          697,
          791,
          452,
        ],
      ]
    `);
  });

  it('survive extreme temperatures', () => {
    const logits = Float32Array.of(1, 2, 2.0001);
    expect(shares(logits, { temperature: 1e-300 }, 100)).toEqual([0, 0, 1]);
    for (const share of shares(logits, { temperature: 1e300 })) expect(Math.abs(share - 1 / 3)).toBeLessThan(0.02);
  });
});

describe('penalties', () => {
  const sample = (logits: number[], history: number[], options: SamplingOptions) =>
    new Sampler({ temperature: 0, ...options }, logits.length).sample(Float32Array.from(logits), history);

  it('divide logits above 0 and multiply those below', () => {
    expect(sample([3, 2], [0], { repetitionPenalty: 1.4 })).toBe(0);
    expect(sample([3, 2], [0], { repetitionPenalty: 1.6 })).toBe(1);
    expect(sample([-1, -1.5], [0], { repetitionPenalty: 1.4 })).toBe(0);
    expect(sample([-1, -1.5], [0], { repetitionPenalty: 1.6 })).toBe(1);
  });

  it('subtract once for presence, each time for frequency', () => {
    expect(sample([3, 2], [0, 0], { presencePenalty: 0.9 })).toBe(0);
    expect(sample([3, 2], [0, 0], { presencePenalty: 1.1 })).toBe(1);
    expect(sample([3, 2], [0, 0], { frequencyPenalty: 0.4 })).toBe(0);
    expect(sample([3, 2], [0, 0], { frequencyPenalty: 0.6 })).toBe(1);
  });

  it('look at the end of the history only', () => {
    expect(sample([3, 2], [0, 1, 1], { presencePenalty: 2, penaltyWindow: 2 })).toBe(0);
    expect(sample([3, 2], [0, 0], { presencePenalty: 2, penaltyWindow: 0 })).toBe(0);
  });

  it('leave the logits as they are', () => {
    const logits = Float32Array.of(3, 2);
    new Sampler({ repetitionPenalty: 2 }, 2).sample(logits, [0, 1, 5]);
    expect([...logits]).toEqual([3, 2]);
  });
});

it('logprob is the log-softmax of the raw logits', () => {
  const logits = [5, 1, -20, 3.25];
  const expected = softmax(logits).map(Math.log);
  for (const id of logits.keys()) expect(logprob(Float32Array.from(logits), id)).toBeCloseTo(expected[id]!, 12);
  expect(logprob(Float32Array.of(1000, 0), 1)).toBe(-1000);
});

it('options are checked by name', () => {
  const texts: [SamplingOptions, string][] = [
    [{ temperature: -1 }, 'options: temperature is -1, expected a number >= 0'],
    [{ temperature: Number.NaN }, 'options: temperature is NaN, expected a number >= 0'],
    [{ topK: 1.5 }, 'options: topK is 1.5, expected an integer >= 0'],
    [{ topP: 2 }, 'options: topP is 2, expected a number from 0 to 1'],
    [{ minP: '0.1' as never }, 'options: minP is "0.1", expected a number from 0 to 1'],
    [{ repetitionPenalty: 0 }, 'options: repetitionPenalty is 0, expected a number from 0.01 to 100'],
    [{ penaltyWindow: -1 }, 'options: penaltyWindow is -1, expected an integer >= 0'],
    [{ seed: 2 ** 53 }, 'options: seed is 9007199254740992, expected an integer from 0 to 2^53-1'],
  ];
  for (const [options, text] of texts) expect(() => new Sampler(options, 4)).toThrow(text);
  expect(checkSampling({})).toMatchObject({ temperature: 0.7, topK: 40, topP: 0.95, minP: 0, penaltyWindow: 64 });
});

it('recommendations of a file are taken where they can be used', () => {
  const values: Record<string, number> = { temp: 0.5, top_k: 20, top_p: 7, penalty_last_n: -1 };
  const get = (key: string) => values[key.replace('general.sampling.', '')];
  expect(fileSampling({ float: get, integer: get } as unknown as Metadata)).toEqual({ temperature: 0.5, topK: 20 });
});

it('a draw from 128256 tokens takes a millisecond or so', () => {
  const logits = logitsOf(128_256, 9);
  const ms = (options: SamplingOptions) => {
    const sampler = new Sampler({ seed: 1, ...options }, logits.length);
    sampler.sample(logits, []);
    const started = performance.now();
    for (let i = 0; i < 10; i++) sampler.sample(logits, [1, 2, 3]);
    return (performance.now() - started) / 10;
  };
  const times = {
    usual: ms({}),
    penalties: ms({ repetitionPenalty: 1.1 }),
    nucleus: ms({ topK: 0 }),
    all: ms({ topK: 0, topP: 1 }),
  };
  console.log('ms a draw', times);
  // Far above what is measured: a sort of the whole vocabulary takes longer still.
  expect(times.usual).toBeLessThan(15);
});

describe('decisive', () => {
  it('is how many of the greatest logits a draw depends on', () => {
    const of = (options: SamplingOptions, rows = 5000, vocabSize = 5000) =>
      new Sampler({ ...plain, ...options }, vocabSize).decisive(rows);
    expect(of({ temperature: 0 })).toBe(1);
    expect(of({ topK: 40 })).toBe(40);
    expect(of({ topK: 40, topP: 0.9, minP: 0.1 })).toBe(40);
    expect(of({ temperature: 0, topK: 40, repetitionPenalty: 1.1, penaltyWindow: 20 })).toBe(21);
    expect(of({ topK: 40, repetitionPenalty: 1.1, penaltyWindow: 0 })).toBe(40);
    // Rows that are no token.
    expect(of({ temperature: 0 }, 5000, 4990)).toBe(11);
    for (const all of [
      { topK: 0, topP: 0.9 },
      { topK: 40, repetitionPenalty: 0.9 },
      { topK: 40, presencePenalty: -0.1 },
      { topK: 40, frequencyPenalty: -0.1 },
      { topK: 40, presencePenalty: 1, penaltyWindow: 5000 },
    ])
      expect(of(all), JSON.stringify(all)).toBe(0);
    expect(of({ topK: 40 }, 39, 39)).toBe(0);
  });

  it('of them are enough', () => {
    for (let seed = 0; seed < 200; seed++) {
      const logits = logitsOf(900, seed);
      const history = Array.from({ length: 30 }, (_, i) => (i * 37 + seed) % 900);
      history.push(...likeliest(logits, 900, 8));
      const options: SamplingOptions = [
        { temperature: 0, repetitionPenalty: 1.5, presencePenalty: 0.5 },
        { topK: 5, topP: 0.9 },
        { topK: 20, frequencyPenalty: 0.7, minP: 0.02 },
      ][seed % 3]!;
      const sampler = () => new Sampler({ ...plain, ...options, seed }, 890);
      const top = sampler().decisive(900);
      expect(top).toBeGreaterThan(0);
      const ids = likeliest(logits, 900, top);
      const least = logits[ids.at(-1)!]!;
      const rough = logits.map((x, id) => (ids.includes(id) ? x : Math.min(x * 0.9, least - 1e-3)));
      expect(sampler().sample(rough, history)).toBe(sampler().sample(logits, history));
    }
  });
});
