// ternlight tokenize: text to ids. Reads a file's header only, so a vocabulary-only file will do.
import { loadTokenizer, TernlightError } from '../index.ts';
import { command } from './command.ts';
import { lines, printJson, readText } from './io.ts';
import { cacheMode, sourceOptions } from './model-options.ts';
import { UsageError } from './options.ts';

export const tokenize = command({
  name: 'tokenize',
  summary: 'text to token ids',
  details: `The text comes from standard input as it is, its last line end included. Prints ids as a JSON array,
with and without --json. The model may be a vocabulary-only file.`,
  options: {
    Text: {
      text: { type: 'text', value: 'TEXT', help: 'this text instead of standard input' },
      jsonl: { type: 'flag', help: 'a JSON string a line in, an array of ids a line out' },
      special: { type: 'flag', help: 'parse special tokens in the text' },
      'no-bos': { type: 'flag', help: 'no beginning-of-text token in front' },
    },
    Model: sourceOptions,
  },
  async run({ io, interrupt: { signal } }, values) {
    if (values.jsonl && values.text !== undefined)
      throw new UsageError('--jsonl: got --text too, expected one of them; --jsonl reads standard input');
    const tokenizer = await loadTokenizer(values.tokenizer ?? values.model, { signal, cache: cacheMode(values) });
    const encode = (text: string) => tokenizer.encode(text, { special: values.special, bos: !values['no-bos'] });
    if (!values.jsonl) {
      await printJson(io.stdout, encode(values.text ?? (await readText(io.stdin, signal))));
      return 0;
    }
    let number = 0;
    for await (const line of lines(io.stdin, signal)) await printJson(io.stdout, encode(jsonString(line, ++number)));
    return 0;
  },
});

function jsonString(line: string, number: number): string {
  let value: unknown;
  try {
    value = JSON.parse(line);
  } catch {
    // The message below says more than the parser's.
  }
  if (typeof value === 'string') return value;
  const start = line.length > 40 ? `${line.slice(0, 40)}...` : line;
  throw new TernlightError('io', `input: line ${number} is ${start || 'empty'}, expected a JSON string`);
}
