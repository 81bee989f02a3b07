// A turn of llama.cpp's native CPU code, by node-llama-cpp. Flash attention is measured off and on: the report takes
// the faster for each phase. The choice of tokens is made in C++.
import { readFileSync } from 'node:fs';
import { measure } from './turn.mjs';

/** @param options { library: address of node-llama-cpp, model: path, threads, counts } */
export async function turn({ library, model: modelPath, threads, counts }) {
  const { getLlama } = await import(library);
  const llama = await getLlama({
    gpu: false,
    build: 'never',
    skipDownload: true,
    maxThreads: threads,
    logLevel: 'error',
  });
  const started = performance.now();
  const model = await llama.loadModel({ modelPath });
  const loadMs = performance.now() - started;
  const samples = [];
  let looks;
  for (const flashAttention of [false, true]) {
    // A batch of 512 computes either prompt at once.
    const context = await model.createContext({
      ...{ contextSize: 1024, batchSize: 512, sequences: 1, threads, flashAttention },
    });
    const { looks: seen, ...sample } = await measure(engineOf(context.getSequence()), counts);
    if (context.idealThreads !== threads)
      throw new Error(`llama.cpp: ${context.idealThreads} threads, expected ${threads}`);
    samples.push({ setting: `flash attention ${flashAttention ? 'on' : 'off'}`, ...sample });
    looks ??= seen;
    await context.dispose();
  }
  const { release } = llama.llamaCppRelease;
  return { samples, looks, loadMs, engine: { backend: backend() }, versions: { 'llama.cpp': release } };
}

function engineOf(sequence) {
  const greedy = { temperature: 0, yieldEogToken: true };
  return {
    clear: () => sequence.clearHistory(),
    prefill: (ids) => sequence.evaluateWithoutGeneratingNewTokens(ids),
    async look(id) {
      for await (const { probabilities } of sequence.evaluateWithMetadata([id], { probabilities: true }, greedy))
        return Array.from({ length: 256 }, (_, token) => Math.log(probabilities.get(token)));
    },
    async decode(id, count) {
      const chosen = [];
      for await (const token of sequence.evaluate([id], greedy)) {
        chosen.push(token);
        if (chosen.length === count) break;
      }
      return chosen;
    },
  };
}

/** Which of the builds for different processors was loaded, as far as the system tells. */
function backend() {
  try {
    return /libggml-cpu-?(\w*)\.so/.exec(readFileSync('/proc/self/maps', 'utf8'))?.[1];
  } catch {
    return undefined;
  }
}
