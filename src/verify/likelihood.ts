// How well a model predicts a text: the mean of what each token cost it.

import type { Model } from '../generate/model.ts';
import { logprob } from '../generate/sampler.ts';

/** Nats per token over all but the first, in one context; ids beyond the model's context are left out. */
export async function meanNll(model: Model, ids: readonly number[], signal?: AbortSignal): Promise<number> {
  const used = ids.slice(0, model.info.contextLength);
  let sum = 0;
  let at = 0;
  for await (const row of model.logits(used.slice(0, -1), { signal })) sum -= logprob(row, used[++at]!);
  return sum / at;
}
