// Chat templates: Jinja text to the text of a prompt, as transformers renders it. Knows neither models nor tokens.
// Templates are not trusted: see template-interpreter.ts for the limits.

import { parse, tokenize } from '@huggingface/jinja';
import { TernlightError } from '../errors.ts';
import { BoundedInterpreter, GlobalScope } from './template-interpreter.ts';

const maxTemplateChars = 65536;
const maxRangeItems = 10_000;
const maxDateChars = 10_000;

export interface RenderOptions {
  /** What `strftime_now` takes for the time. Default: the time of the call. */
  now?: Date;
}

/** For the messages of a template's errors. */
export interface TemplateOrigin {
  /** Whose template it is. Default "chat template". */
  where?: string;
  /** What can be done about a template that does not work: "give another one". Default: nothing is said. */
  cure?: string;
}

/** Throws TernlightError 'template': a limit is met, the template does so itself, or it asks for what there is not. */
export type Template = (variables: Readonly<Record<string, unknown>>, options?: RenderOptions) => string;

/** Throws TernlightError 'template' where the text is not a template, or longer than 65536 characters. */
export function compileTemplate(source: string, origin: TemplateOrigin = {}): Template {
  const program = guarded(origin, () => {
    if (source.length > maxTemplateChars)
      throw new Error(`it has ${source.length} characters, expected ${maxTemplateChars} at most`);
    // The lexer's time grows with the square of these.
    if (/\s{1000}/.test(source)) throw new Error('it has 1000 characters of white space in a row');
    try {
      return parse(tokenize(source, { lstrip_blocks: true, trim_blocks: true }));
    } catch (cause) {
      // The parser reads on behind the last token.
      const what = cause instanceof TypeError ? 'it ends within a tag or block' : (cause as Error).message;
      throw new Error(`it cannot be read: ${what}`, { cause });
    }
  });
  return (variables, { now } = {}) =>
    guarded(origin, () => {
      const scope = new GlobalScope();
      for (const [name, value] of Object.entries({ ...globals(now), ...variables })) scope.set(name, value);
      return new BoundedInterpreter(scope).run(program).value as string;
    });
}

/** `compileTemplate` for a text that is rendered once. */
export function renderTemplate(
  source: string,
  variables: Readonly<Record<string, unknown>>,
  options?: RenderOptions,
): string {
  return compileTemplate(source)(variables, options);
}

/** The template itself says that it cannot render this. */
class Refusal extends Error {}

function guarded<T>({ where = 'chat template', cure }: TemplateOrigin, action: () => T): T {
  try {
    return action();
  } catch (cause) {
    const message = String(cause instanceof Error ? cause.message : cause).slice(0, 300);
    const refused = cause instanceof Refusal;
    const what = refused
      ? `it refuses the messages: ${message}`
      : /call stack|recursion/.test(message)
        ? 'it nests too deeply'
        : message;
    const remedy = [...(refused ? ['change them'] : []), ...(cure ? [cure] : [])].join(', or ');
    throw new TernlightError('template', `${where}: ${what}${remedy ? `; ${remedy}` : ''}`, { cause });
  }
}

function globals(now: Date | undefined): Record<string, unknown> {
  const [yes, no, none] = [true, false, null];
  return {
    ...{ true: yes, false: no, none, True: yes, False: no, None: none },
    raise_exception: (message: unknown) => {
      throw new Refusal(String(message));
    },
    range: boundedRange(),
    strftime_now: boundedStrftime(now ?? new Date()),
  };
}

/** Python's `range`, for so many items in all. */
function boundedRange() {
  let left = maxRangeItems;
  return (...args: unknown[]) => {
    const [start, stop, step] = (args.length === 1 ? [0, args[0], 1] : [args[0], args[1], args[2] ?? 1]) as number[];
    if (![start, stop, step].every(Number.isSafeInteger) || step === 0) throw new Error('range() takes whole numbers');
    const count = Math.max(0, Math.ceil((stop! - start!) / step!));
    left -= count;
    if (left < 0) throw new Error(`range() gives more than ${maxRangeItems} items`);
    return Array.from({ length: count }, (_, i) => start! + i * step!);
  };
}

/** Dates by Python's codes, for formats of so many characters in all. */
function boundedStrftime(now: Date) {
  let left = maxDateChars;
  return (format: unknown) => {
    if (typeof format !== 'string') throw new Error('strftime_now() takes a text');
    left -= format.length + 10;
    if (left < 0) throw new Error(`strftime_now() gets more than ${maxDateChars} characters`);
    return strftime(now, format);
  };
}

const months = 'January February March April May June July August September October November December'.split(' ');
const days = 'Sunday Monday Tuesday Wednesday Thursday Friday Saturday'.split(' ');

/** The codes that templates use, in English and local time; "%-d" is without the leading zero. */
function strftime(date: Date, format: string): string {
  const month = months[date.getMonth()] ?? '';
  const day = days[date.getDay()] ?? '';
  const codes = new Map<string, string | number>([
    ['Y', date.getFullYear()],
    ['m', date.getMonth() + 1],
    ['d', date.getDate()],
    ['H', date.getHours()],
    ['M', date.getMinutes()],
    ['S', date.getSeconds()],
    ['b', month.slice(0, 3)],
    ['B', month],
    ['a', day.slice(0, 3)],
    ['A', day],
    ['%', '%'],
  ]);
  return format.replace(/%(-?)(.)/g, (whole, bare, code) => {
    const value = codes.get(code);
    if (value === undefined) return whole;
    return typeof value === 'number' && !bare ? String(value).padStart(2, '0') : String(value);
  });
}
