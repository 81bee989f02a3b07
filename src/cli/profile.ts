// ternlight profile: where the time of a prompt and of single tokens goes, stage by stage.
import { type Model, type ModelInfo, syntheticNames, TernlightError } from '../index.ts';
import type { Profile, ProfileOptions } from '../runtime/profile.ts';
import { type Context, command } from './command.ts';
import { print, printJson } from './io.ts';
import { modelOptions, withModel } from './model-options.ts';
import { NewFile } from './new-file.ts';
import { UsageError } from './options.ts';
import { profileJson, profileReport } from './profile-report.ts';
import { traceText } from './profile-trace.ts';
import { Progress } from './progress.ts';
import { printable } from './text.ts';

export const profile = command({
  name: 'profile',
  summary: 'measure the time, bytes and GB/s of each stage',
  details: `Computes a prompt in an empty cache, then single tokens; once before, which is not counted. Then reads 256 MB.
Bytes are what a stage must read at least: weights, keys and values (docs/PROFILE.md).
--json: {model, runtime, build, kernels, kv, head, threads, prefill, decode, read: {regionBytes, passes,
bytesPerSecond}, decodeOfRead}; prefill and decode: {tokens, ms, tokensPerSecond, bytes, bytesPerSecond, roles: [{role,
calls, ms, waitMs, share, bytes, bytesPerSecond}], host: {ms, share}}, sums over all their tokens.`,
  options: {
    Measurement: {
      'prompt-tokens': { type: 'integer', short: 'p', value: 'N', min: 1, default: 128, help: 'tokens of the prompt' },
      tokens: { type: 'integer', short: 'n', value: 'N', min: 1, default: 32, help: 'single tokens after it' },
      trace: {
        type: 'text',
        value: 'FILE',
        help: 'write every stage of every token to this file, for ui.perfetto.dev or chrome://tracing',
      },
      synthetic: {
        type: 'choice',
        choices: syntheticNames,
        help: "random weights of a published model's shape instead of a file",
      },
    },
    Model: { ...modelOptions, ctx: { ...modelOptions.ctx, help: 'context', otherwise: 'what -p and -n need' } },
  },
  async run(context, values) {
    const { 'prompt-tokens': promptTokens, tokens, synthetic, ctx = promptTokens + tokens } = values;
    if (synthetic !== undefined && values.model !== undefined)
      throw new UsageError('--synthetic: got -m too, expected one of them');
    if (ctx < promptTokens + tokens)
      throw new UsageError(`--ctx: got ${ctx}, expected at least ${promptTokens + tokens}, the sum of -p and -n`);
    const model = synthetic === undefined ? values.model : `synthetic:${synthetic}`;
    // First of all: who mistyped a folder should not wait for the model.
    const file = values.trace === undefined ? undefined : await NewFile.create(values.trace, true);
    try {
      return await withModel(context, { ...values, model, ctx }, async (loaded) => {
        const measured = await measure(context, loaded, { promptTokens, tokens });
        if (file) {
          await writeTrace(file, measured, loaded.info);
          await file.commit();
        }
        const { stdout } = context.io;
        if (values.json) await printJson(stdout, profileJson(measured, loaded.info));
        else await print(stdout, printable(profileReport(measured, loaded.info)));
        return 0;
      });
    } catch (error) {
      await file?.discard();
      throw error;
    }
  },
});

async function measure(
  { io, interrupt: { signal } }: Context,
  model: Model & { profile?: (options: ProfileOptions) => Promise<Profile> },
  options: ProfileOptions,
): Promise<Profile> {
  // A page's model runs in a worker, whose stages nobody here can time.
  if (!model.profile)
    throw new TernlightError('environment', 'profile: the engine runs in another thread, expected it in this one');
  const progress = new Progress(io.stderr);
  const onProgress = (done: number, total: number) => progress.show('measuring', done, total);
  return model.profile({ ...options, signal, onProgress }).finally(() => progress.clear());
}

async function writeTrace(file: NewFile, measured: Profile, info: ModelInfo): Promise<void> {
  const encoder = new TextEncoder();
  for (const piece of traceText(measured, info)) await file.write(encoder.encode(piece));
}
