// One turn of bench/tokens.mjs, in a process of its own (bench/peers/child.mjs).
import { engineOf, likeliest } from '../peers/ternlight.mjs';
import { measure, promptIds } from '../peers/turn.mjs';

const PROMPT = 128;
const COUNTS = { prefill: PROMPT, prefillLong: 512, decode: 64 };
/** What a profile computes: it is asked only what a step reads and how fast memory is read. */
const PROFILED = { promptTokens: PROMPT, tokens: 16 };
/** Single tokens of a round at each context, and the rounds. */
const LONG_TOKENS = 16;
const LONG_ROUNDS = 5;

/** @param options { library, source, threads, kernel, and `long`: { contexts, kv } in place of all else } */
export async function turn({ long, ...options }) {
  return long ? atContexts(options, long) : speeds(options);
}

async function open({ library, source, threads, kernel }, options) {
  const { load } = await import(library);
  const model = await load(source, { threads, kernel, ...options });
  if (model.info.threads !== threads) throw new Error(`${model.info.threads} threads, expected ${threads}`);
  return model;
}

/** @returns { perSecond, firstMs, readShare, stepBytes, readPerSecond, kernel, ... } */
async function speeds(options) {
  const model = await open(options, { contextLength: 1024 });
  const session = await model.session();
  // Before anything else: who has just loaded a model waits for the compilers too.
  const started = performance.now();
  likeliest(await session.feed(promptIds(PROMPT, 9)));
  const firstMs = performance.now() - started;
  const { perSecond, cores } = await measure(engineOf(session), COUNTS);
  await session.dispose();
  const { decode, read } = await model.profile(PROFILED);
  const { build, kernels, loadMs } = model.info;
  await model.dispose();
  const stepBytes = decode.bytes / decode.tokens;
  return {
    ...{ perSecond, cores, firstMs, stepBytes, readPerSecond: read.bytesPerSecond },
    readShare: (stepBytes * perSecond.decode) / read.bytesPerSecond,
    ...{ build, kernel: kernels.decode, loadMs },
  };
}

/** Single tokens at each context in turns, each with a session of its own: { kernel, rates: { context: tokens a second } }. */
async function atContexts(options, { contexts, kv }) {
  const contextLength = Math.max(...contexts) + LONG_TOKENS;
  const model = await open(options, { contextLength, kv, sessions: contexts.length });
  const sessions = new Map();
  for (const context of contexts) {
    const session = await model.session();
    await session.feed(promptIds(context, context));
    sessions.set(context, session);
  }
  const rates = Object.fromEntries(contexts.map((context) => [context, []]));
  for (let round = 0; round <= LONG_ROUNDS; round++)
    for (const [context, session] of sessions) {
      await session.truncate(context);
      const started = performance.now();
      await engineOf(session).decode(5, LONG_TOKENS);
      // The first round warms up.
      if (round > 0) rates[context].push((1000 * LONG_TOKENS) / (performance.now() - started));
    }
  const { build, kernels } = model.info;
  await model.dispose();
  return { build, kernel: kernels.decode, rates };
}
