// Tokens per second of the loaded model, and what this browser offers. Knows no elements.
import { type Environment, examine, type Model, type ModelInfo, TernlightError } from 'ternlight';
import { amount, bytes, plural, rate } from './figures.ts';
import type { ModelSlot } from './model-slot.ts';
import type { Settings } from './settings.ts';

const PROMPT_TOKENS = 128;
const ANSWER_TOKENS = 64;
/** One more before is not counted: engines compile the kernels while they run for the first time. */
const ROUNDS = 3;

export interface Speed {
  readonly threads: number;
  readonly promptTokensPerSecond: number;
  readonly answerTokensPerSecond: number;
}

export interface BenchmarkResult
  extends Pick<ModelInfo, 'runtime' | 'build' | 'kernels' | 'kv' | 'head' | 'threadsNote' | 'parameters'> {
  /** ISO 8601. */
  readonly date: string;
  readonly model: string;
  readonly memoryBytes: number;
  readonly isolated: boolean;
  /** Of the page: what the library's runtime leaves out, such as the system. */
  readonly userAgent: string;
  readonly promptTokens: number;
  readonly answerTokens: number;
  readonly speeds: readonly Speed[];
  readonly environment: Environment;
}

/** Over all rounds: some answers end early, and coarse clocks even out. */
async function measure(model: Model, signal: AbortSignal): Promise<Speed> {
  const { vocabSize, contextLength, threads } = model.info;
  const prompt = Math.min(PROMPT_TOKENS, Math.floor((2 * contextLength) / 3));
  const maxTokens = Math.min(ANSWER_TOKENS, contextLength - prompt);
  const sum = { promptTokens: 0, promptMs: 0, answerTokens: 0, answerMs: 0 };
  const session = await model.session();
  try {
    for (let round = 0; round <= ROUNDS; round++) {
      // Which tokens does not matter for the time; that the first differs does: nothing is taken from the cache.
      const ids = Array.from({ length: prompt }, (_, i) => (i * 7919 + 13 + 101 * round) % vocabSize);
      const summary = await session.generate(ids, { maxTokens, temperature: 1, seed: round, signal }).summary();
      signal.throwIfAborted();
      if (round === 0) continue;
      const { prefillMs, decodeMs, decodeTokensPerSecond } = summary.timings;
      sum.promptTokens += summary.promptTokens - summary.cachedTokens;
      sum.promptMs += prefillMs;
      sum.answerTokens += (decodeTokensPerSecond * decodeMs) / 1000;
      sum.answerMs += decodeMs;
    }
  } finally {
    await session.dispose();
  }
  return {
    threads,
    promptTokensPerSecond: (1000 * sum.promptTokens) / sum.promptMs,
    answerTokensPerSecond: (1000 * sum.answerTokens) / sum.answerMs,
  };
}

/**
 * Measures the loaded model as it is, then with one thread if it has more, and leaves it loaded as it was.
 * Throws AbortError, and what load() throws.
 */
export async function benchmark(
  slot: ModelSlot,
  settings: Settings,
  signal: AbortSignal,
  onStep: (text: string) => void,
): Promise<BenchmarkResult> {
  const { info } = slot.loaded();
  const source = slot.source!;
  onStep('examining this browser');
  const environment = await examine();
  onStep(`measuring with ${plural(info.threads, 'thread')}`);
  const speeds = [await measure(slot.loaded(), signal)];
  if (info.threads > 1) {
    try {
      onStep('measuring with 1 thread');
      speeds.push(await measure(await slot.load(source, { ...settings.loading(), threads: 1 }), signal));
    } finally {
      // Unless the user has loaded another one meanwhile.
      if (!slot.loading && (slot.source ?? source) === source) {
        onStep('loading the model as it was');
        await slot.load(source, settings.loading());
      }
    }
  }
  if (speeds.some(({ answerTokensPerSecond }) => !Number.isFinite(answerTokensPerSecond)))
    throw new TernlightError('unsupported', 'benchmark: the model ended every answer at once; try another one');
  const { runtime, build, kernels, kv, head, threadsNote, parameters, memory } = info;
  return {
    ...{ date: new Date().toISOString(), model: info.name, parameters, runtime, build, kernels, kv, head, threadsNote },
    ...{ memoryBytes: memory.oneSessionBytes, isolated: crossOriginIsolated, userAgent: navigator.userAgent },
    ...{ promptTokens: PROMPT_TOKENS, answerTokens: ANSWER_TOKENS, speeds, environment },
  };
}

/** As text, for people. */
export function report(result: BenchmarkResult): string {
  const { speed, cores, findings } = result.environment;
  return [
    `ternlight benchmark, ${result.date}`,
    `${result.model}, ${amount(result.parameters)} parameters, ${bytes(result.memoryBytes)} of memory`,
    `${result.runtime}, ${plural(cores, 'core')}`,
    `build ${result.build}, kernel ${result.kernels.decode}, head ${result.head}, cache ${result.kv}`,
    result.userAgent,
    '',
    ...result.speeds.map(
      ({ threads, promptTokensPerSecond: prompt, answerTokensPerSecond: answer }) =>
        `${plural(threads, 'thread')}: prompt ${rate(prompt)} tok/s, answer ${rate(answer)} tok/s`,
    ),
    ...(result.threadsNote ? [result.threadsNote] : []),
    '',
    ...findings.map(({ what, ok, detail }) => `${ok ? 'yes' : 'NO '}  ${what}: ${detail}`),
    ...(speed
      ? [`one thread: ${amount(speed.weightsPerSecond)} weights/s, memory ${bytes(speed.bytesPerSecond)}/s`]
      : []),
    '',
  ].join('\n');
}
