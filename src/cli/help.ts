// Help, written from the same tables that parsing reads.
import type { Command } from './command.ts';
import { commonOptions, type Option, type Options } from './options.ts';
import { bounds } from './parse.ts';

const COLUMN = 30;

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

export function commandHelp({ name, argument, summary, details, options }: Command): string {
  const groups = { ...options, Other: commonOptions };
  return [
    `Usage: ternlight ${name}${argument ? ` [${argument}]` : ''} [OPTION ...]`,
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
    const right = `${option.help}${limits(option)}`;
    // A long name has its explanation on the next line.
    return left.length < COLUMN ? `${left.padEnd(COLUMN)}${right}` : `${left}\n${' '.repeat(COLUMN)}${right}`;
  });
}

function valueName(option: Option): string {
  if (option.type === 'flag') return '';
  return ` ${option.type === 'choice' ? option.choices.join('|') : option.value}`;
}

function limits(option: Option): string {
  const notes: string[] = [];
  if ('max' in option && option.max !== undefined && option.max < 1e6) notes.push(bounds(option).trim());
  if ('default' in option && option.default !== undefined) notes.push(`default: ${option.default}`);
  return notes.length > 0 ? ` (${notes.join('; ')})` : '';
}
