// The page's worker: the engine runs in it, in place. Import maps do not reach workers: with a bundler this is 'ternlight'.
import { load } from '../../dist/ternlight.js';

const loading = load();
let running; // the AbortController of the story being written

async function write(opening) {
  running = new AbortController();
  const model = await loading;
  const generation = model.generate(opening, { temperature: 0.6, maxTokens: 150, signal: running.signal });
  for await (const { text } of generation) postMessage({ text });
  const { ids, stop, timings } = await generation.summary();
  return `${ids.length} tokens, ${timings.decodeTokensPerSecond.toFixed()} a second, ${stop}`;
}

/** Tells the page what came of it. */
function tell(promise) {
  return promise.then(
    (status) => postMessage({ status }),
    (error) => postMessage({ status: error.message }),
  );
}

addEventListener('message', ({ data }) => {
  if (data.stop) running?.abort();
  else tell(write(data.opening));
});
tell(loading.then(({ info }) => `ready, ${info.threads} thread(s)`));
