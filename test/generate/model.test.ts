// Sessions, turns and the end of a model, on the packaged one.
import { describe, expect, it } from 'vitest';
import { likeliest } from '../../src/generate/top-k.ts';
import { load } from '../../src/index.ts';

const greedy = { temperature: 0, maxTokens: 12 } as const;

describe('a model', () => {
  it('runs generations side by side without their disturbing each other', async () => {
    const model = await load(undefined, { threads: 1 });
    const prompts = ['Once upon a time', 'A little dog', 'Tom and Lily', 'The sun was'];
    const alone: string[] = [];
    for (const prompt of prompts) alone.push((await model.generate(prompt, greedy).summary()).text);
    const together = await Promise.all(prompts.map((prompt) => model.generate(prompt, greedy).summary()));
    expect(together.map(({ text }) => text)).toEqual(alone);
    await model.dispose();
  });

  it('computes only what is new in a second turn, with the answer of a fresh context', async () => {
    const model = await load(undefined, { threads: 1 });
    const session = await model.session();
    const first = await session.generate('Once upon a time', greedy).summary();
    expect(first.cachedTokens).toBe(0);
    const longer = `Once upon a time${first.text} Then`;
    const second = await session.generate(longer, greedy).summary();
    expect(second.cachedTokens).toBeGreaterThan(first.promptTokens);
    const fresh = await model.session();
    const again = await fresh.generate(longer, greedy).summary();
    expect(again.cachedTokens).toBe(0);
    expect(again.ids).toEqual(second.ids);
    // And without sessions: the model keeps the last ones.
    await model.generate('A red ball', greedy).summary();
    expect((await model.generate('A red ball and', greedy).summary()).cachedTokens).toBeGreaterThan(2);
    await model.dispose();
  });

  it('gives the same text for one seed, another for another', async () => {
    const model = await load(undefined, { threads: 1 });
    const text = async (seed: number) =>
      (await model.generate('Once', { seed, temperature: 1, maxTokens: 30 }).summary()).text;
    const [a, b, c] = [await text(5), await text(5), await text(6)];
    expect(a).toBe(b);
    expect(a).not.toBe(c);
    await model.dispose();
  });

  it('opens as many sessions as were declared, and says so', async () => {
    const model = await load(undefined, { threads: 1, sessions: 2 });
    const sessions = [await model.session(), await model.session()];
    await expect(model.session()).rejects.toThrow(/2 sessions are open.*larger "sessions"/);
    await sessions[0]!.dispose();
    const third = await model.session();
    expect((await third.generate('Once', greedy).summary()).ids.length).toBe(12);
    await model.dispose();
  });

  it('refuses two things at once in one session', async () => {
    const model = await load(undefined, { threads: 1 });
    const session = await model.session();
    const running = session.generate('Once', greedy)[Symbol.asyncIterator]();
    await running.next();
    await expect(session.feed([1])).rejects.toThrow(/a generation is running/);
    await running.return?.();
    await session.feed([1]);
    await model.dispose();
  });

  it('is asked for a number of logits, or for all', async () => {
    const model = await load(undefined, { head: 'fast', threads: 1 });
    const session = await model.session();
    const ids = await model.tokenize('Once upon a time');
    const all = (await session.feed(ids)).slice();
    await session.truncate(0);
    const some = (await session.feed(ids, undefined, 3)).slice();
    const best = [...likeliest(all, all.length, 3)];
    expect([...likeliest(some, some.length, 3)]).toEqual(best);
    for (const id of best) expect(some[id]).toBe(all[id]);
    expect(some).not.toEqual(all);
    for (const top of [-1, 0.5, Number.NaN, '3' as never])
      await expect(session.feed([1], undefined, top)).rejects.toThrow(/session: top is .*, expected an integer >= 0/);
    expect(session.ids.length).toBe(ids.length);
    // More than there are: all.
    await session.truncate(0);
    expect((await session.feed(ids, undefined, 1e9)).slice()).toEqual(all);
    await model.dispose();
  });

  it('ends at the context, at stop texts, at the signal', async () => {
    const model = await load(undefined, { threads: 1, contextLength: 32 });
    const full = await model.generate('Once upon a time', { temperature: 0 }).summary();
    expect([full.stop, full.promptTokens + full.ids.length]).toEqual(['length', 32]);
    const stopped = await model.generate('Once upon a time', { temperature: 0, stop: ['girl'] }).summary();
    expect(stopped.stop).toBe('stop');
    expect(stopped.text).toMatch(/ little $/);
    const controller = new AbortController();
    const generation = model.generate('Once', { temperature: 0, signal: controller.signal });
    for await (const _ of generation) controller.abort();
    expect((await generation.summary()).stop).toBe('aborted');
    await model.dispose();
  });

  it('is gone after dispose', async () => {
    const model = await load(undefined, { threads: 2 });
    const session = await model.session();
    await model.dispose();
    for (const call of [
      () => model.tokenize('x'),
      () => model.generate('x').summary(),
      () => session.feed([1]),
      () => model.session(),
    ])
      await expect(call()).rejects.toMatchObject({ code: 'disposed' });
    await model.dispose();
  });
});
