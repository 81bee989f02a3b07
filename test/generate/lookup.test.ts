// The index against a search through the whole text, and the pace against costs that are told to it.
import { describe, expect, it } from 'vitest';
import { Lookup } from '../../src/generate/lookup.ts';
import { Costs } from '../../src/generate/lookup-costs.ts';
import { Pace } from '../../src/generate/lookup-pace.ts';
import { Random } from '../../src/generate/random.ts';

/** Index of the token after the latest earlier occurrence of the longest n-gram at the end; -1 without one. */
function search(ids: readonly number[], ngram: number): number {
  for (let n = ngram; n >= 2; n--) {
    const gram = ids.slice(-n).join();
    for (let at = ids.length - 1; at >= n; at--) if (ids.slice(at - n, at).join() === gram) return at;
  }
  return -1;
}

describe('lookup', () => {
  it('finds the latest place after the longest n-gram', () => {
    //                            0  1  2  3  4  5  6  7  8  9
    const lookup = new Lookup(3, [1, 2, 3, 4, 9, 2, 3, 5, 1, 2]);
    expect(lookup.draft(3)).toEqual([3, 4, 9]);
    expect(lookup.matched).toBe(2);
    lookup.push(3);
    // It goes on with the place that it followed.
    expect([lookup.matched, lookup.expected]).toEqual([3, 4]);
    lookup.push(7);
    expect([lookup.matched, lookup.expected]).toEqual([0, undefined]);
    expect(lookup.draft(3)).toEqual([]);
    for (const id of [2, 3]) lookup.push(id);
    // The latest of the places after 2, 3.
    expect(lookup.draft(2)).toEqual([7, 2]);
  });

  it('prefers a longer n-gram to a later one, as far as it is asked to', () => {
    const ids = [5, 1, 2, 3, 6, 1, 2, 4, 5, 1, 2];
    expect(new Lookup(3, ids).draft(1)).toEqual([3]);
    expect(new Lookup(2, ids).draft(1)).toEqual([4]);
  });

  it('repeats what goes past its end', () => {
    expect(new Lookup(3, [8, 1, 2, 1, 2]).draft(5)).toEqual([1, 2, 1, 2, 1]);
    expect(new Lookup(2, [7, 7, 7]).draft(4)).toEqual([7, 7, 7, 7]);
  });

  it('knows nothing of texts that are too short or new', () => {
    for (const ids of [[], [1], [1, 2], [1, 2, 3, 4]]) {
      const lookup = new Lookup(3, ids);
      expect([lookup.matched, lookup.expected, lookup.draft(4)]).toEqual([0, undefined, []]);
    }
  });

  it('agrees with a search through the text wherever it looks anew', () => {
    const random = new Random(1);
    for (const [ngram, alphabet] of [
      [2, 3],
      [3, 4],
      [3, 12],
      [5, 2],
      [8, 2],
    ] as const) {
      const ids: number[] = [];
      const token = () => Math.floor(random.next() * alphabet) * 70_001;
      for (let i = 0; i < 40; i++) ids.push(token());
      const lookup = new Lookup(ngram, ids);
      let found = 0;
      for (let i = 0; i < 400; i++) {
        const followed = lookup.expected;
        const id = token();
        ids.push(id);
        lookup.push(id);
        if (followed === id) continue;
        const at = search(ids, ngram);
        expect(lookup.expected).toBe(at < 0 ? undefined : ids[at]);
        if (at < 0) continue;
        found++;
        let agreeing = 0;
        while (agreeing < 16 && agreeing < at && ids[at - 1 - agreeing] === ids[ids.length - 1 - agreeing]) agreeing++;
        expect(lookup.matched).toBe(agreeing);
        expect(lookup.draft(6)[0]).toBe(ids[at]);
      }
      expect(found).toBeGreaterThan(100);
    }
  });

  it('is not misled by two n-grams with one hash', () => {
    const random = new Random(3);
    const lookup = new Lookup(2, []);
    let matches = 0;
    // New pairs nearly always, and so many that some share their 30 bits.
    for (let i = 0; i < 200_000; i++) {
      lookup.push(Math.floor(random.next() * 2 ** 17));
      if (lookup.expected === undefined) continue;
      expect(lookup.matched).toBeGreaterThanOrEqual(2);
      matches++;
    }
    expect(matches).toBeLessThan(20);
  });
});

/** A machine: what a batch costs in single tokens. */
const cheap = (tokens: number) => 1 + (tokens - 1) / 4;
const dear = (tokens: number) => (tokens === 1 ? 1 : 1.1 * tokens);

/** Runs a text in which the expected token comes with probability p; gives times with and without drafts. */
function simulate(p: number, cost: (tokens: number) => number, tokens = 2000, seed = 1, noise = 0) {
  const costs = new Costs();
  const pace = new Pace(costs);
  const random = new Random(seed);
  const jitter = new Random(seed + 1);
  let ms = 0;
  let matched = 2;
  let drafted = 0;
  const see = () => {
    const hit = random.next() < p;
    pace.saw(matched, hit);
    matched = hit ? matched + 1 : 2;
    return hit;
  };
  for (let done = 0; done < tokens; ) {
    const length = pace.choose(matched, 15);
    drafted += length;
    const took = 10 * cost(1 + length) * (1 + noise * jitter.next());
    ms += took;
    costs.took(length, took);
    done++;
    for (let i = 0; i < length && done < tokens; i++, done++) if (!see()) break;
    if (length === 0) see();
  }
  return { gain: (10 * tokens * (1 + noise / 2)) / ms, draftedPerToken: drafted / tokens };
}

describe('pace', () => {
  it('drafts long where the text is copied and batches are cheap', () => {
    const costs = new Costs();
    const pace = new Pace(costs);
    expect(pace.choose(30, 15)).toBe(0);
    for (let i = 0; i < 3; i++) costs.took(0, 10);
    expect(pace.choose(0, 15)).toBe(0);
    expect(pace.choose(30, 15)).toBeGreaterThan(0);
    expect(pace.choose(30, 3)).toBeLessThanOrEqual(3);
    expect(pace.choose(30, 0)).toBe(0);
    expect(simulate(0.99, cheap).gain).toBeGreaterThan(2);
    expect(simulate(0.9, cheap).gain).toBeGreaterThan(1.4);
  });

  it('loses next to nothing where there is nothing to gain', () => {
    for (const seed of [1, 2, 3, 4]) {
      // Batches that cost more than what they contain: no draft can pay, and that is found out by trying.
      expect(simulate(0.99, dear, 2000, seed).gain).toBeGreaterThan(0.95);
      expect(simulate(0.99, dear, 2000, seed, 0.5).gain).toBeGreaterThan(0.95);
      // Text whose repetitions mean nothing.
      for (const cost of [cheap, dear]) {
        expect(simulate(0.05, cost, 2000, seed).gain).toBeGreaterThan(0.97);
        expect(simulate(0.3, cost, 2000, seed).gain).toBeGreaterThan(0.97);
      }
    }
    expect(simulate(0.05, cheap).draftedPerToken).toBeLessThan(0.05);
  });

  it('comes back when the text begins to repeat itself', () => {
    const costs = new Costs();
    const pace = new Pace(costs);
    for (let i = 0; i < 400; i++) {
      costs.took(0, 10);
      pace.saw(3, false);
    }
    expect(pace.choose(3, 15)).toBe(0);
    for (let i = 0; i < 60; i++) pace.saw(3, true);
    expect(pace.choose(3, 15)).toBeGreaterThan(0);
  });

  it('forgets a batch that was slow by chance', () => {
    const costs = new Costs();
    const pace = new Pace(costs);
    for (let i = 0; i < 3; i++) costs.took(0, 10);
    for (let i = 0; i < 64; i++) pace.saw(10, true);
    for (let i = 0; i < 8; i++) for (const length of [1, 2, 4, 8, 15]) costs.took(length, 5000);
    expect(pace.choose(30, 15)).toBe(0);
    let singles = 0;
    for (; pace.choose(30, 15) === 0 && singles < 2000; singles++) costs.took(0, 10);
    expect(singles).toBeLessThan(600);
  });

  it('times a single token now and then', () => {
    const costs = new Costs();
    const pace = new Pace(costs);
    for (let i = 0; i < 3; i++) costs.took(0, 10);
    let batches = 0;
    for (; batches < 100; batches++) {
      const length = pace.choose(30, 15);
      if (length === 0) break;
      costs.took(length, 20);
    }
    expect(batches).toBe(16);
    costs.took(0, 10);
    expect(pace.choose(30, 15)).toBeGreaterThan(0);
  });
});
