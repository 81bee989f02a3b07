// Help, written from the same tables that parsing reads.
import type { Command } from './command.ts';
import { commonOptions, type Option, type Options } from './options.ts';
import { bounds } from './parse.ts';

const COLUMN = 32;
const WIDTH = 110;

export function generalHelp(commands: readonly Command[]): string {
  const width = Math.max(...commands.map(({ name }) => name.length)) + 2;
  return [
    'ternlight: 1-bit and ternary language models in WebAssembly',
    '',
    'Usage: ternlight COMMAND [OPTION ...]',
    '',
    ...commands.map(({ name, summary }) => `  ${name.padEnd(width)}${summary}`),
    '',
    'ternlight help COMMAND tells its options; ternlight --version the version.',
    'Exit codes: 0 done, 1 failed, 2 wrong usage, 130 stopped by Ctrl-C.',
    '',
  ].join('\n');
}

export function commandHelp({ name, argument, second, summary, details, options }: Command): string {
  const groups = { ...options, Other: commonOptions };
  return [
    `Usage: ternlight ${name}${second ? ` ${argument} ${second}` : argument ? ` [${argument}]` : ''} [OPTION ...]`,
    '',
    sentence(summary),
    ...(details ? [details] : []),
    ...Object.entries(groups).flatMap(([title, group]) => ['', `${title}:`, ...optionLines(group)]),
    '',
  ].join('\n');
}

function sentence(text: string): string {
  return `${text[0]!.toUpperCase()}${text.slice(1)}.`;
}

function optionLines(options: Options): string[] {
  return Object.entries(options).map(([name, option]) => {
    const left = `  ${option.short ? `-${option.short}, ` : '    '}--${name}${valueName(option)}`;
    const [first, ...more] = wrap(`${option.help}${listed(option)}${limits(option)}`, WIDTH - COLUMN);
    // A long name has its explanation on the next line.
    const head = left.length < COLUMN ? `${left.padEnd(COLUMN)}${first}` : `${left}\n${' '.repeat(COLUMN)}${first}`;
    return [head, ...more.map((line) => `${' '.repeat(COLUMN)}${line}`)].join('\n');
  });
}

function valueName(option: Option): string {
  if (option.type === 'flag') return '';
  if (option.type !== 'choice') return ` ${option.value}`;
  return isLong(option.choices) ? ' NAME' : ` ${option.choices.join('|')}`;
}

function isLong(choices: readonly string[]): boolean {
  return choices.join().length > WIDTH / 2;
}

function listed(option: Option): string {
  return option.type === 'choice' && isLong(option.choices) ? `: ${option.choices.join(', ')}` : '';
}

function wrap(text: string, width: number): string[] {
  const out = [''];
  for (const word of text.split(' ')) {
    const line = out[out.length - 1]!;
    if (line !== '' && line.length + 1 + word.length > width) out.push(word);
    else out[out.length - 1] = line === '' ? word : `${line} ${word}`;
  }
  return out;
}

function limits(option: Option): string {
  const notes: string[] = [];
  if ('max' in option && option.max !== undefined && option.max < 1e6) notes.push(bounds(option).trim());
  const fallback = 'default' in option ? option.default : option.otherwise;
  if (fallback !== undefined) notes.push(`default: ${fallback}`);
  return notes.length > 0 ? ` (${notes.join('; ')})` : '';
}
