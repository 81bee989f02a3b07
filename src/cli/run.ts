// ternlight run: continues a text.
import { command } from './command.ts';
import { INTERRUPTED } from './interrupt.ts';
import { print, printJson, readText } from './io.ts';
import { modelOptions, withModel } from './model-options.ts';
import { generateOptions, lengthOptions, samplingOptions, summaryJson } from './sampling-options.ts';
import { dim, figure, forStream } from './text.ts';

export const run = command({
  name: 'run',
  argument: 'PROMPT',
  summary: 'continue a text',
  details: `PROMPT comes from standard input where it is absent or "-"; a line end at its end is left out.
Prints the prompt and then the text as it is generated. Ctrl-C stops it (exit code 130).
--json: {text, ids, promptTokens, stop: eos|stop|length|aborted, timings}, the generated part only.`,
  options: { Generation: lengthOptions, Sampling: samplingOptions, Model: modelOptions },
  async run(context, values, argument) {
    const { io, interrupt } = context;
    const fromInput = argument === undefined || argument === '-';
    if (fromInput && io.stdin.isTTY) await print(io.stderr, `${dim(io, io.stderr, 'prompt, ended by Ctrl-D:')}\n`);
    const prompt = fromInput ? (await readText(io.stdin, interrupt.signal)).replace(/\r?\n$/, '') : argument;
    return withModel(context, values, async (model) => {
      const generation = model.generate(prompt, { ...generateOptions(values), signal: interrupt.signal });
      let last = prompt;
      if (!values.json) {
        await print(io.stdout, forStream(io.stdout, prompt));
        for await (const { text } of generation) {
          await print(io.stdout, forStream(io.stdout, text));
          last = text || last;
        }
        if (!last.endsWith('\n')) await print(io.stdout, '\n');
      }
      const summary = await generation.summary();
      const { timings, promptTokens, ids, stop, seed } = summary;
      if (values.json) await printJson(io.stdout, summaryJson(summary, model.info.loadMs));
      else if (io.stderr.isTTY) {
        const rates = [
          `prompt ${promptTokens} tokens, ${figure(timings.prefillTokensPerSecond)} tok/s`,
          `answer ${ids.length} tokens, ${figure(timings.decodeTokensPerSecond)} tok/s`,
        ];
        await print(io.stderr, `${dim(io, io.stderr, `${rates.join('; ')}; ${stop}; seed ${seed}`)}\n`);
      }
      return stop === 'aborted' ? INTERRUPTED : 0;
    });
  },
});
