// From arguments to an exit code: finds the command, and is the only place where errors become text.
import pkg from '../../package.json' with { type: 'json' };
import { TernlightError } from '../index.ts';
import { bench } from './bench.ts';
import { cache } from './cache.ts';
import { chat } from './chat.ts';
import type { Command } from './command.ts';
import { convert } from './convert.ts';
import { detokenize } from './detokenize.ts';
import { doctor } from './doctor.ts';
import { commandHelp, generalHelp } from './help.ts';
import { inspect } from './inspect.ts';
import { INTERRUPTED, Interrupt } from './interrupt.ts';
import { type Io, print } from './io.ts';
import { logits } from './logits.ts';
import { models } from './models.ts';
import { nearest } from './nearest.ts';
import { commonOptions, type Options, UsageError } from './options.ts';
import { parse } from './parse.ts';
import { perplexity } from './perplexity.ts';
import { profile } from './profile.ts';
import { run } from './run.ts';
import { printable } from './text.ts';
import { tokenize } from './tokenize.ts';
import { verify } from './verify.ts';

export const commands: readonly Command[] = [
  ...[run, chat, tokenize, detokenize, logits, perplexity],
  ...[models, cache, inspect, verify, convert, bench, profile, doctor],
];

/** Runs one command. 0: done, 1: failed, 2: wrong usage, 130: stopped by Ctrl-C. */
export async function cli(args: readonly string[], io: Io): Promise<number> {
  const interrupt = new Interrupt(io);
  let name = '';
  try {
    const [first, ...rest] = args;
    if (first === undefined) {
      await print(io.stderr, generalHelp(commands));
      return 2;
    }
    if (first === '-V' || first === '--version') {
      await print(io.stdout, `${pkg.version}\n`);
      return 0;
    }
    if (first === '-h' || first === '--help' || first === 'help') {
      const [topic] = rest;
      await print(io.stdout, topic === undefined ? generalHelp(commands) : commandHelp(find(topic)));
      return 0;
    }
    const command = find(first);
    name = ` ${command.name}`;
    const options: Options = Object.assign({}, ...Object.values(command.options), commonOptions);
    const { values, positionals } = parse(rest, options);
    if (values.help) {
      await print(io.stdout, commandHelp(command));
      return 0;
    }
    checkCount(command, positionals);
    return await command.run({ io, interrupt }, values, positionals[0], positionals[1]);
  } catch (error) {
    if (interrupt.signal.aborted) return INTERRUPTED;
    return await report(io, name, error);
  } finally {
    interrupt.release();
  }
}

function find(name: string): Command {
  const found = commands.find((command) => command.name === name);
  if (found) return found;
  if (name.startsWith('-')) throw new UsageError(`${name}: expected a command first`);
  const names = commands.map((command) => command.name);
  const meant = nearest(name, [...names, 'help']);
  throw new UsageError(
    `${name}: no such command${meant ? `; did you mean ${meant}?` : `, expected ${names.join(', ')}`}`,
  );
}

function checkCount({ argument, second }: Command, positionals: readonly string[]): void {
  const allowed = [argument, second].filter((name) => name !== undefined);
  if (positionals.length <= allowed.length) return;
  throw new UsageError(
    argument === undefined
      ? `got the argument "${positionals[0]}", expected options only; a model is given with -m`
      : second === undefined
        ? `got ${positionals.length} arguments, expected one ${argument}; put it in quotes`
        : `got ${positionals.length} arguments, expected ${argument} and ${second}; put paths with spaces in quotes`,
  );
}

async function report(io: Io, name: string, error: unknown): Promise<number> {
  const usage = error instanceof UsageError || (error instanceof TernlightError && error.code === 'invalid-option');
  const message = error instanceof Error ? error.message : String(error);
  let text = `ternlight${usage ? name : ''}: ${printable(message.replace(/\s*\n\s*/g, ' '))}\n`;
  if (usage) text += `Try: ternlight help${name}\n`;
  if (io.env.TERNLIGHT_DEBUG === '1' && error instanceof Error) text += `${error.stack}\n`;
  await print(io.stderr, text);
  return usage ? 2 : 1;
}
