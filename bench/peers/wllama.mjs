// A turn of wllama in a page. It takes text, not ids, and times the phases itself. So slow with ternary weights that its
// counts are small: what it gains by longer prompts is little, because it multiplies token by token.

/** @param options { library: address of wllama's folder, model: address, threads, counts } */
export async function turn({ library, model, threads, counts }) {
  const { LoggerWithoutDebug, Wllama } = await import(`${library}/index.js`);
  const wllama = new Wllama(
    { default: `${library}/wasm/wllama.wasm` },
    { logger: LoggerWithoutDebug, suppressNativeLog: true, allowOffline: true },
  );
  const file = await (await fetch(model)).blob();
  const started = performance.now();
  await wllama.loadModel([file], {
    ...{ n_ctx: 1024, n_batch: 512, n_ubatch: 512, n_threads: threads, n_gpu_layers: 0 },
    ...{ warmup: false, flash_attn: false, cache_idle_slots: false, log_level: 4 },
  });
  const loadMs = performance.now() - started;
  if (wllama.getNumThreads() !== threads)
    throw new Error(`wllama: ${wllama.getNumThreads()} threads, expected ${threads}`);
  const complete = async (seed, length, tokens) => {
    const { choices, timings } = await wllama.createCompletion({
      ...{ prompt: letters(length, seed), max_tokens: tokens, temperature: 0, top_k: 1 },
      ...{ ignore_eos: true, cache_prompt: false, timings_per_token: true },
    });
    return { text: choices[0].text, timings };
  };
  const warm = await complete(1, 8, 4);
  // The vocabulary's beginning-of-text token comes on top of the letters.
  const { text, timings } = await complete(2, counts.prefill - 1, counts.decode);
  if (text === '' || text === warm.text)
    throw new Error('guard: two prompts have the same answer; the engine did not compute');
  if (timings.prompt_n !== counts.prefill || timings.predicted_n !== counts.decode)
    throw new Error(
      `guard: ${timings.prompt_n} + ${timings.predicted_n} tokens, expected ${counts.prefill} + ${counts.decode}`,
    );
  const perSecond = { prefill: timings.prompt_per_second, decode: timings.predicted_per_second };
  return {
    samples: [{ setting: '', perSecond, cores: {} }],
    loadMs,
    engine: { multithread: wllama.isMultithread() },
    versions: { 'libllama of wllama': Wllama.getLibllamaVersion() },
  };
}

/** Capital letters are in no merge of the vocabulary: a token each. */
function letters(count, seed) {
  let state = seed;
  return Array.from({ length: count }, () => {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    return String.fromCharCode(65 + ((state >>> 16) % 26));
  }).join('');
}
