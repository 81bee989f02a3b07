// What an option is: one entry drives parsing, checking, help and the type of the value.

interface Described {
  short?: string;
  /** A line of help, without the default and the bounds that other fields tell. */
  help: string;
  /** What holds without the option, where that is not a constant of ours. */
  otherwise?: string;
}

export type Option = Described &
  (
    | { type: 'flag' }
    /** `value` is what help calls the value. */
    | { type: 'text'; value: string }
    /** May be repeated. */
    | { type: 'texts'; value: string }
    | { type: 'integer' | 'number'; value: string; min?: number; max?: number; default?: number }
    /** Comma-separated. */
    | { type: 'integers'; value: string; min?: number; max?: number }
    | { type: 'choice'; choices: readonly string[] }
  );

export type Options = Readonly<Record<string, Option>>;

type ValueOf<O extends Option> = O extends { type: 'flag' }
  ? boolean
  : O extends { type: 'texts' }
    ? string[]
    : O extends { type: 'integers' }
      ? number[] | undefined
      : O extends { type: 'integer' | 'number'; default: number }
        ? number
        : O extends { type: 'integer' | 'number' }
          ? number | undefined
          : O extends { type: 'choice'; choices: readonly (infer C)[] }
            ? C | undefined
            : string | undefined;

export type Values<T extends Options> = { [K in keyof T]: ValueOf<T[K]> };

/** Wrong usage: exit code 2. Text as in TernlightError: what, got, expected. */
export class UsageError extends Error {
  override readonly name = 'UsageError';
}

export const commonOptions = {
  json: { type: 'flag', help: 'machine-readable output, nothing else on standard output' },
  help: { type: 'flag', short: 'h', help: 'this text' },
} as const satisfies Options;
