// A turn of ternlight, in Node and in pages. Greedy choice is made here, in JavaScript, from the logits.
import { measure } from './turn.mjs';

/** @param options { library: address of dist/ternlight.js, source, threads, counts, options: of load } */
export async function turn({ library, source, threads, counts, options }) {
  const { load } = await import(library);
  const model = await load(source, { threads, contextLength: 1024, ...options });
  const { info } = model;
  if (info.threads !== threads) throw new Error(`ternlight: ${info.threads} threads, expected ${threads}`);
  const engine = engineOf(await model.session());
  const { looks, ...sample } = await measure(engine, counts);
  const { build, kernels, head, kv, loadMs, runtime } = info;
  await model.dispose();
  return {
    samples: [{ setting: '', ...sample }],
    looks,
    loadMs,
    engine: { build, kernel: kernels.decode, head, kv },
    versions: Object.fromEntries([runtime.split(' ')]),
  };
}

/** A session as `measure` drives it. */
export const engineOf = (session) => ({
  clear: () => session.truncate(0),
  prefill: (ids) => session.feed(ids),
  look: async (id) => Array.from((await session.feed([id])).subarray(0, 256)),
  async decode(id, count) {
    const chosen = [];
    while (chosen.length < count) {
      id = likeliest(await session.feed([id], undefined, 1));
      chosen.push(id);
    }
    return chosen;
  },
});

export function likeliest(logits) {
  let best = 0;
  for (let i = 1; i < logits.length; i++) if (logits[i] > logits[best]) best = i;
  return best;
}
