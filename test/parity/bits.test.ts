// The bits of the packaged model's logits, pinned: every runtime that runs this test must give these. A change here is a
// change of numerics, and wants a line in docs/LOG.md.
import { expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { logitDigest } from '../runtimes/conformance.mjs';

it.each([
  [{}, 'defaults'],
  [{ kv: 'f32', head: 'stored' }, 'exact'],
  [{ kv: 'f16', head: 'int8' }, 'int8 head'],
  [{ kv: 'i8' }, 'int8 cache'],
  [{ kv: 'i4' }, 'int4 cache'],
] as const)('%j', async (options, name) => {
  const model = await load(undefined, options);
  expect({ [name]: await logitDigest(model) }).toMatchSnapshot();
  await model.dispose();
});

it('and the text of a seed', async () => {
  const model = await load();
  const { text, ids } = await model
    .generate('Once upon a time', { seed: 42, temperature: 0.8, topK: 40, maxTokens: 50 })
    .summary();
  expect({ text, ids }).toMatchSnapshot();
  await model.dispose();
});
