// One turn of an engine that takes token ids: warm-up, guard, and each phase once. Runs in Node and in pages.

/** An id that every vocabulary measured has. */
const NEXT = 5;

/** Distinct ids that all vocabularies have; which they are does not matter for the time. */
export const promptIds = (count, seed) =>
  Array.from({ length: count }, (_, i) => 300 + ((i * 7919 + seed * 104729) % 31000));

/**
 * @param engine { clear(), prefill(ids), look(id): 256 logits or log probabilities after one more token,
 *   decode(id, count): the ids chosen }
 * @param counts tokens of the phases: { prefill, prefillLong, decode }
 */
export async function measure(engine, counts) {
  // Compilers take over after some calls, and a mapped file is read when it is first touched: none of this counts.
  const looks = [];
  for (const seed of [1, 2]) {
    await engine.clear();
    await engine.prefill(promptIds(counts.prefill / 2, seed));
    looks.push(await engine.look(NEXT));
  }
  await engine.decode(NEXT, 8);

  const perSecond = {};
  const cores = {};
  const timed = async (phase, run) => {
    const usedBefore = cpuMs();
    const started = performance.now();
    const result = await run();
    const ms = performance.now() - started;
    perSecond[phase] = (1000 * counts[phase]) / ms;
    cores[phase] = (cpuMs() - usedBefore) / ms;
    return result;
  };
  await engine.clear();
  await timed('prefill', () => engine.prefill(promptIds(counts.prefill, 3)));
  const chosen = await timed('decode', () => engine.decode(NEXT, counts.decode));
  await engine.clear();
  await timed('prefillLong', () => engine.prefill(promptIds(counts.prefillLong, 4)));
  guard(looks, chosen, counts.decode);
  return { perSecond, cores, looks };
}

/** Of this process, all threads; in a page nobody knows. */
function cpuMs() {
  const used = globalThis.process?.cpuUsage();
  return used ? (used.user + used.system) / 1000 : Number.NaN;
}

/** Throws if the engine gave what can come without computing: nothing, constants, the same for every prompt. */
function guard(looks, chosen, count) {
  const fail = (what) => {
    throw new Error(`guard: ${what}; the engine did not compute`);
  };
  for (const look of looks) {
    if (!look.every(Number.isFinite)) fail('logits are not finite');
    if (new Set(look).size < look.length / 2) fail('logits are constant');
  }
  const [a, b] = looks;
  if (a.every((value, i) => value === b[i])) fail('two prompts have the same logits');
  if (chosen.length !== count) fail(`${chosen.length} tokens decoded, expected ${count}`);
  if (new Set(chosen).size < 2) fail(`every token decoded is ${chosen[0]}`);
}
