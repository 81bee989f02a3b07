// ternlight detokenize: ids to text. Reads a file's header only, so a vocabulary-only file will do.
import { loadTokenizer, TernlightError } from '../index.ts';
import { command } from './command.ts';
import { print, printJson, readText } from './io.ts';
import { cacheMode, checkIds, sourceOptions } from './model-options.ts';
import { forStream } from './text.ts';

export const detokenize = command({
  name: 'detokenize',
  summary: 'token ids to text',
  details: `Without --ids, a JSON array of ids comes from standard input.
--json: the text as a JSON string; without it, a line end is added.`,
  options: {
    Tokens: {
      ids: { type: 'integers', value: '1,2,3', min: 0, help: 'the ids' },
      special: { type: 'flag', help: 'print control tokens too' },
    },
    Model: sourceOptions,
  },
  async run({ io, interrupt: { signal } }, values) {
    const ids = values.ids ?? jsonIds(await readText(io.stdin, signal));
    const tokenizer = await loadTokenizer(values.tokenizer ?? values.model, { signal, cache: cacheMode(values) });
    checkIds(ids, tokenizer.vocabSize);
    const text = tokenizer.decode(ids, { special: values.special });
    if (values.json) await printJson(io.stdout, text);
    else await print(io.stdout, `${forStream(io.stdout, text)}\n`);
    return 0;
  },
});

function jsonIds(text: string): number[] {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch {
    // The message below says more than the parser's.
  }
  if (Array.isArray(value) && value.every((id) => Number.isSafeInteger(id) && id >= 0)) return value;
  throw new TernlightError('io', 'input: it is not a JSON array of ids; give it one, or --ids 1,2,3');
}
