// ternlight models: the published models that are known to run, and what they need.
import { type KnownModel, knownModels } from '../hub/known-models.ts';
import { memoryOf, parametersOf } from '../hub/shapes.ts';
import { command } from './command.ts';
import { print, printJson } from './io.ts';
import { UsageError } from './options.ts';
import { bytes, scaled, table } from './text.ts';

/** Tokens of context that the memory is told for. */
const contextTokens = 2048;

export const models = command({
  name: 'models',
  argument: 'FILTER',
  summary: 'list published models that run here',
  details: `FILTER keeps those with the text in name, hub name, architecture, encoding or licence, and adds what to know.
What the first column says goes with -m of other commands. Memory: weights and a context of ${contextTokens} tokens.
Sizes with "~" are computed or rounded.
--json: [{name, source, hub, file, bytes, bytesAreExact, sha256, parameters, architecture, encoding, licence,
contextLength, chat, memory: {weightsBytes, cacheBytes, totalBytes}, notes}].`,
  options: {},
  async run({ io }, values, filter) {
    const found = knownModels.filter((model) => filter === undefined || matches(model, filter));
    if (found.length === 0)
      throw new UsageError(`FILTER: got "${filter}", which no model matches; without it all are listed`);
    if (values.json) {
      await printJson(io.stdout, found.map(describe));
      return 0;
    }
    const rows = found.map((model) => {
      const { source, parameters, memory } = describe(model);
      return [
        ...[source, scaled(parameters), model.encoding, `${model.bytesAreExact ? '' : '~'}${bytes(model.bytes)}`],
        ...[bytes(memory.totalBytes), model.contextLength?.toString() ?? '', model.licence],
      ];
    });
    const header = ['model', 'parameters', 'encoding', 'file', 'memory', 'context', 'licence'];
    await print(io.stdout, table([header, ...rows], [1, 3, 4, 5]));
    if (filter !== undefined) await print(io.stdout, found.map(notes).join(''));
    return 0;
  },
});

function matches({ name, hub, architecture, encoding, licence }: KnownModel, filter: string): boolean {
  return [name, hub, architecture, encoding, licence].some((text) => text.toLowerCase().includes(filter.toLowerCase()));
}

function describe({ shape, storage, ...model }: KnownModel) {
  return {
    ...model,
    source: `hf:${model.hub}${model.file === 'ask' ? '/FILE' : ''}`,
    parameters: parametersOf(shape),
    memory: memoryOf(shape, storage, contextTokens),
  };
}

function notes({ name, notes, chat, file }: KnownModel): string {
  const lines = [
    ...(file === undefined || file === 'ask' ? [] : [`file ${file}`]),
    chat === 'none' ? 'a base model: it continues texts' : `chat form: ${chat}`,
    ...notes,
  ];
  return `\n${name}\n${lines.map((line) => `  ${line}\n`).join('')}`;
}
