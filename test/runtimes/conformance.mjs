// What every runtime has to do, as one function of the built module: plain JavaScript, so that Node, Deno, Bun, browsers and
// emulated processors run it as it is. Its report is JSON; matrix.test.ts compares it.
const PROMPT = 'Once upon a time';

/** SHA-256 of the logits of `count` fixed tokens: one text for all their bits. */
export async function logitDigest(model, count = 150) {
  const ids = Array.from({ length: count }, (_, i) => (i * 37 + 11) % 2000);
  const parts = [];
  for await (const row of model.logits(ids)) parts.push(new Uint8Array(row.buffer, row.byteOffset, row.byteLength).slice());
  const all = new Uint8Array(parts.reduce((n, part) => n + part.length, 0));
  let at = 0;
  for (const part of parts) {
    all.set(part, at);
    at += part.length;
  }
  const hash = new Uint8Array(await crypto.subtle.digest('SHA-256', all));
  return [...hash].map((b) => b.toString(16).padStart(2, '0')).join('');
}

async function text(model, prompt, options) {
  return (await model.generate(prompt, options).summary()).text;
}

/** Stops a generation by its signal after five pieces, another by leaving the loop. */
async function aborted(model) {
  const controller = new AbortController();
  const generation = model.generate(PROMPT, { temperature: 0, signal: controller.signal });
  let pieces = 0;
  for await (const _ of generation) if (++pieces === 5) controller.abort();
  for await (const _ of model.generate(PROMPT, { temperature: 0 })) break;
  return (await generation.summary()).stop;
}

/** @param {string} address of the packaged model, http(s), for the load from an address */
export async function conform({ load }, { threads, address, options = {}, small = false }) {
  const [maxTokens, digestTokens] = small ? [12, 20] : [60, 150];
  const progress = [];
  const first = await load(undefined, { threads, ...options });
  const generation = first.generate(PROMPT, { temperature: 0, maxTokens });
  const pieces = [];
  for await (const piece of generation) pieces.push(piece.text);
  const { ids, text: whole } = await generation.summary();
  const digest = await logitDigest(first, digestTokens);
  const sampled = await text(first, PROMPT, { temperature: 0.9, topK: 40, seed: 7, maxTokens });
  const stop = await aborted(first);
  const onProgress = ({ loadedBytes, totalBytes }) => progress.push([loadedBytes, totalBytes]);
  const second = await load(address, { threads, cache: false, onProgress, ...options });
  const pair = await Promise.all(
    [first, second].map((model) => text(model, 'A cat', { temperature: 0, maxTokens: 12 })),
  );
  const { info } = first;
  await first.dispose();
  const late = await first.tokenize('x').then(
    () => 'answered',
    ({ code }) => code,
  );
  const after = await text(second, 'A cat', { temperature: 0, maxTokens: 12 });
  await second.dispose();
  return {
    runtime: info.runtime,
    build: info.build,
    kernel: info.kernels.decode,
    threads: info.threads,
    threadsNote: info.threadsNote,
    ids,
    digest,
    sampled,
    streamed: pieces.join('') === whole,
    stop,
    twoModels: pair[0] === pair[1] && pair[1] === after,
    progress: progress.at(-1)?.[0] === progress.at(-1)?.[1] && progress.length > 2,
    late,
  };
}
