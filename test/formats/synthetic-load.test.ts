// Synthetic models through the whole engine: those small enough, one of each kind that no file in the repository is of.

import { expect, test } from 'vitest';
import { load } from '../../src/index.ts';

test.each(['trilm-99m', 'bitmamba2-255m'])('%s generates', async (name) => {
  const model = await load(`synthetic:${name}`, { contextLength: 64 });
  const { ids, stop } = await model.generate('Once upon a time', { maxTokens: 8, temperature: 0 }).summary();
  expect([ids.length, stop]).toEqual([8, 'length']);
  expect(new Set(ids).size).toBeGreaterThan(3);
  for await (const logits of model.logits(ids)) {
    expect(logits.every(Number.isFinite)).toBe(true);
    const mean = logits.reduce((sum, value) => sum + value, 0) / logits.length;
    const spread = Math.sqrt(logits.reduce((sum, value) => sum + (value - mean) ** 2, 0) / logits.length);
    expect(spread).toBeGreaterThan(0.2);
    expect(spread).toBeLessThan(5);
  }
  await model.dispose();
});
