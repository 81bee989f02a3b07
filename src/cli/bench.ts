// ternlight bench: tokens per second of prompt and answer, for some numbers of threads.
import { DEFAULT_TOP_K } from '../generate/sampling-options.ts';
import { type Model, type ModelInfo, syntheticNames } from '../index.ts';
import { type Context, command } from './command.ts';
import { collectGarbage } from './garbage.ts';
import { print, printJson } from './io.ts';
import { modelOptions, withModel } from './model-options.ts';
import { UsageError } from './options.ts';
import { Progress } from './progress.ts';
import { figure, printable, scaled, table } from './text.ts';

interface Spread {
  median: number;
  min: number;
  max: number;
}

interface Result extends Pick<ModelInfo, 'runtime' | 'build' | 'kernels' | 'kv' | 'head' | 'threads' | 'loadMs'> {
  model: string;
  /** Tokens per second. */
  prefill: Spread;
  decode: Spread;
  residentMB: number;
}

export const bench = command({
  name: 'bench',
  summary: 'measure tokens per second',
  details: `Each round computes a prompt in an empty cache, then single tokens; one more round before is not counted.
--json: [{model, runtime, build, kernels, kv, head, threads, prefill, decode: {median, min, max}, residentMB, loadMs}].`,
  options: {
    Measurement: {
      'prompt-tokens': { type: 'integer', short: 'p', value: 'N', min: 1, default: 128, help: 'tokens of the prompt' },
      tokens: { type: 'integer', short: 'n', value: 'N', min: 1, default: 64, help: 'single tokens after it' },
      repeats: { type: 'integer', short: 'r', value: 'N', min: 1, default: 3, help: 'rounds that count' },
      synthetic: {
        type: 'choice',
        choices: syntheticNames,
        help: "random weights of a published model's shape instead of a file",
      },
    },
    Model: {
      ...modelOptions,
      ctx: { ...modelOptions.ctx, help: 'context', otherwise: 'what -p and -n need' },
      threads: {
        type: 'integers',
        short: 't',
        value: '1,2,...',
        min: 1,
        max: 64,
        help: 'numbers of threads to compare',
        otherwise: modelOptions.threads.otherwise,
      },
    },
  },
  async run(context, values) {
    const { io } = context;
    const { 'prompt-tokens': prompt, tokens, repeats, synthetic, ctx = prompt + tokens } = values;
    if (synthetic !== undefined && values.model !== undefined)
      throw new UsageError('--synthetic: got -m too, expected one of them');
    if (ctx < prompt + tokens)
      throw new UsageError(`--ctx: got ${ctx}, expected at least ${prompt + tokens}, the sum of -p and -n`);
    const model = synthetic === undefined ? values.model : `synthetic:${synthetic}`;
    const results: Result[] = [];
    let parameters = 0;
    for (const threads of values.threads ?? [undefined])
      await withModel(context, { ...values, model, ctx, threads }, async (loaded) => {
        parameters = loaded.info.parameters;
        collectGarbage();
        results.push(await measure(context, loaded, prompt, tokens, repeats));
      });
    if (values.json) await printJson(io.stdout, results);
    else await print(io.stdout, printable(report(results, parameters)));
    return 0;
  },
});

async function measure(
  { io, interrupt: { signal } }: Context,
  model: Model,
  prompt: number,
  tokens: number,
  repeats: number,
): Promise<Result> {
  const { info } = model;
  // Which tokens they are does not matter for the time, except that they should not all share a row of the embedding.
  const ids = Array.from({ length: prompt + tokens }, (_, i) => (i * 7919 + 13) % info.vocabSize);
  const prefill: number[] = [];
  const decode: number[] = [];
  const progress = new Progress(io.stderr);
  const session = await model.session();
  try {
    for (let round = 0; round <= repeats; round++) {
      progress.show(`measuring, ${info.threads} threads`, round, repeats + 1);
      await session.truncate(0);
      const started = performance.now();
      await session.feed(ids.slice(0, prompt), signal, DEFAULT_TOP_K);
      const between = performance.now();
      for (let i = prompt; i < ids.length; i++) await session.feed([ids[i]!], signal, DEFAULT_TOP_K);
      const ended = performance.now();
      if (round === 0) continue; // the engine compiles the kernels while they run for the first time
      prefill.push((1000 * prompt) / (between - started));
      decode.push((1000 * tokens) / (ended - between));
    }
  } finally {
    progress.clear();
    await session.dispose();
  }
  const { name, runtime, build, kernels, kv, head, threads, loadMs } = info;
  return {
    ...{ model: name, runtime, build, kernels, kv, head, threads, prefill: spread(prefill), decode: spread(decode) },
    residentMB: Math.round(process.memoryUsage().rss / 1e6),
    loadMs,
  };
}

function spread(rates: readonly number[]): Spread {
  const sorted = [...rates].sort((a, b) => a - b);
  const middle = sorted.length / 2;
  const median = (sorted[Math.ceil(middle) - 1]! + sorted[Math.floor(middle)]!) / 2;
  return { median, min: sorted[0]!, max: sorted[sorted.length - 1]! };
}

function report(results: readonly Result[], parameters: number): string {
  const first = results[0]!;
  const rate = (phase: 'prefill' | 'decode', result: Result): string[] => {
    const { median, min, max } = result[phase];
    const ratio = results.length > 1 ? [`x${(median / first[phase].median).toFixed(2)}`] : [];
    return [figure(median), `${figure(min)}..${figure(max)}`, ...ratio];
  };
  const ratio = results.length > 1 ? ['ratio'] : [];
  const rows = results.map((r) => [
    ...[String(r.threads), r.build, ...rate('prefill', r), ...rate('decode', r)],
    ...[figure(r.loadMs), String(r.residentMB)],
  ]);
  const header = ['threads', 'build', 'prefill tok/s', 'min..max', ...ratio, 'decode tok/s', 'min..max', ...ratio];
  return [
    `${first.model}, ${scaled(parameters).trim()} parameters; ${first.runtime}; `,
    `kernels ${first.kernels.decode} (decode), ${first.kernels.prefill} (prefill); kv ${first.kv}, head ${first.head}\n`,
    table(
      [[...header, 'load ms', 'resident MB'], ...rows],
      header
        .map((_, i) => i)
        .filter((i) => i !== 1)
        .concat(header.length, header.length + 1),
    ),
  ].join('');
}
