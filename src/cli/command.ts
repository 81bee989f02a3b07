// What a command is, and what it is given to work with.
import type { Interrupt } from './interrupt.ts';
import type { Io } from './io.ts';
import type { commonOptions, Options, Values } from './options.ts';

export interface Context {
  readonly io: Io;
  /** Ctrl-C. */
  readonly interrupt: Interrupt;
}

export interface Command {
  readonly name: string;
  /** What help calls the first argument that is not an option; undefined where there is none. */
  readonly argument?: string;
  /** And the second. */
  readonly second?: string;
  /** One line, for the list of commands. */
  readonly summary: string;
  /** What else a user has to know, lines as they are printed. */
  readonly details?: string;
  /** Groups of options with their titles, in the order of help. */
  readonly options: Readonly<Record<string, Options>>;
  /** Gives the exit code. */
  readonly run: (
    context: Context,
    values: Record<string, unknown>,
    argument: string | undefined,
    second: string | undefined,
  ) => Promise<number>;
}

type Flat<G> = G extends Readonly<Record<string, Options>> ? UnionToIntersection<Values<G[keyof G]>> : never;
type UnionToIntersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I : never;

/** A command whose `run` gets its values typed by its own options. */
export function command<const G extends Readonly<Record<string, Options>>>(
  definition: Omit<Command, 'options' | 'run'> & {
    options: G;
    run: (
      context: Context,
      values: Flat<G> & Values<typeof commonOptions>,
      argument: string | undefined,
      second: string | undefined,
    ) => Promise<number>;
  },
): Command {
  return definition as unknown as Command;
}
