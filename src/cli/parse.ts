// Arguments to checked values. The runtime only cuts them up; every refusal is worded here, alike in all runtimes.
import { parseArgs } from 'node:util';
import { nearest } from './nearest.ts';
import { type Option, type Options, UsageError } from './options.ts';

export interface Parsed {
  readonly values: Record<string, unknown>;
  readonly positionals: string[];
}

/** Throws UsageError. With --help anywhere, only `help` is told: nothing else matters then. */
export function parse(args: readonly string[], options: Options): Parsed {
  const { tokens } = parseArgs({
    args: [...args],
    strict: false,
    allowPositionals: true,
    tokens: true,
    options: Object.fromEntries(
      Object.entries(options).map(([name, { type, short }]) => [
        name,
        { type: type === 'flag' ? ('boolean' as const) : ('string' as const), ...(short ? { short } : {}) },
      ]),
    ),
  });
  const given = tokens.filter((token) => token.kind === 'option');
  if (given.some(({ name }) => name === 'help')) return { values: { help: true }, positionals: [] };
  const values = defaults(options);
  const seen = new Set<string>();
  for (const { name, rawName, value, inlineValue } of given) {
    const option = Object.hasOwn(options, name) ? options[name] : undefined;
    if (!option) throw new UsageError(unknown(rawName, options));
    if (seen.has(name) && option.type !== 'texts') throw new UsageError(`${rawName}: given twice, expected once`);
    seen.add(name);
    if (option.type === 'flag') {
      if (value !== undefined) throw new UsageError(`${rawName}: got the value "${value}", expected none`);
      values[name] = true;
      continue;
    }
    // An option where a value should be is a forgotten value.
    if (value === undefined || (!inlineValue && /^--?[A-Za-z]|^--$/.test(value))) {
      const isText = option.type === 'text' || option.type === 'texts';
      const cure = isText && value !== undefined ? `; write --${name}=${value} if ${value} is meant` : '';
      throw new UsageError(`${rawName}: got no value, expected ${expected(option)}${cure}`);
    }
    const checked = check(rawName, value, option);
    if (option.type === 'texts') (values[name] as string[]).push(value);
    else values[name] = checked;
  }
  return { values, positionals: tokens.filter((t) => t.kind === 'positional').map((t) => t.value) };
}

function defaults(options: Options): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([name, o]) => [
      name,
      o.type === 'flag' ? false : o.type === 'texts' ? [] : 'default' in o ? o.default : undefined,
    ]),
  );
}

function unknown(rawName: string, options: Options): string {
  const meant = rawName.startsWith('--')
    ? nearest(
        rawName,
        Object.keys(options).map((name) => `--${name}`),
      )
    : undefined;
  return `${rawName}: no such option${meant ? `; did you mean ${meant}?` : ''}`;
}

/** The value as its type; throws UsageError. */
function check(rawName: string, text: string, option: Exclude<Option, { type: 'flag' }>): unknown {
  const wrong = () => new UsageError(`${rawName}: got "${text}", expected ${expected(option)}`);
  switch (option.type) {
    case 'text':
    case 'texts':
      return text;
    case 'choice':
      if (!option.choices.includes(text)) throw wrong();
      return text;
    case 'integers':
      return text
        .replace(/^\[(.*)\]$/s, '$1') // a JSON array, as tokenize prints it
        .split(',')
        .map((item) => number(item.trim(), true, option) ?? raise(wrong()));
    default:
      return number(text, option.type === 'integer', option) ?? raise(wrong());
  }
}

function raise(error: Error): never {
  throw error;
}

function number(text: string, whole: boolean, { min = -Infinity, max = Infinity }): number | undefined {
  if (!/^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text)) return undefined;
  const value = Number(text);
  const fits = value >= min && value <= max && Number.isFinite(value) && (!whole || Number.isSafeInteger(value));
  return fits ? value : undefined;
}

function expected(option: Option): string {
  switch (option.type) {
    case 'integer':
    case 'number':
      return `${option.type === 'integer' ? 'an integer' : 'a number'}${bounds(option)}`;
    case 'integers':
      return `integers${bounds(option)}, comma-separated`;
    case 'choice':
      return option.choices.join(', ').replace(/, ([^,]*)$/, ' or $1');
    default:
      return 'a text';
  }
}

export function bounds({ min, max }: { min?: number; max?: number }): string {
  if (min === undefined) return '';
  return max === undefined ? ` >= ${min}` : ` from ${min} to ${max}`;
}
