// ternlight perplexity: how well a model predicts a text, by the rule that makes the figure comparable.
import { readFile } from 'node:fs/promises';
import { TernlightError } from '../index.ts';
import { type Context, command } from './command.ts';
import { print, printJson, readText } from './io.ts';
import { modelOptions, withModel } from './model-options.ts';
import { UsageError } from './options.ts';
import { Progress } from './progress.ts';

export const perplexity = command({
  name: 'perplexity',
  summary: "perplexity of a text, by llama.cpp's rule",
  details: `The text is cut into chunks of the context's length; the second half of each is scored.
--json: {nll, ppl, tokens}: mean negative log-likelihood, its exponential, tokens scored.`,
  options: {
    Text: { file: { type: 'text', short: 'f', value: 'TEXT', help: 'a file, or - for standard input; needed' } },
    Model: {
      ...modelOptions,
      ctx: { ...modelOptions.ctx, help: 'tokens of a chunk', min: 4, default: 512 },
    },
  },
  async run(context, values) {
    const { io, interrupt } = context;
    if (values.file === undefined) throw new UsageError('--file: missing, expected the text to score');
    const text = await readInput(context, values.file);
    return withModel(context, values, async (model) => {
      const progress = new Progress(io.stderr);
      const { nll, ppl, tokens } = await model
        .perplexity(text, {
          contextLength: values.ctx,
          signal: interrupt.signal,
          onProgress: (done, total) => progress.show('scoring', done, total, ` of ${total}`),
        })
        .finally(() => progress.clear());
      if (values.json) await printJson(io.stdout, { nll, ppl, tokens });
      else
        await print(
          io.stdout,
          `perplexity ${ppl.toFixed(4)} (nll ${nll.toFixed(5)} over ${tokens} tokens, context ${values.ctx})\n`,
        );
      return 0;
    });
  },
});

async function readInput({ io, interrupt: { signal } }: Context, path: string): Promise<string> {
  if (path === '-') return readText(io.stdin, signal);
  let bytes: Uint8Array;
  try {
    bytes = await readFile(path, { signal });
  } catch (cause) {
    throw new TernlightError('io', `--file: ${path} cannot be read: ${(cause as Error).message}`, { cause });
  }
  try {
    return new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw new TernlightError('io', `--file: ${path} is not UTF-8 text`, { cause });
  }
}
