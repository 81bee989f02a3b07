import { describe, expect, it } from 'vitest';
import { nearest } from '../../src/cli/nearest.ts';
import type { Options } from '../../src/cli/options.ts';
import { UsageError } from '../../src/cli/options.ts';
import { parse } from '../../src/cli/parse.ts';

const options = {
  count: { type: 'integer', short: 'n', value: 'N', min: 1, max: 9, help: '' },
  bias: { type: 'number', value: 'X', help: '' },
  share: { type: 'number', value: 'P', min: 0, max: 1, default: 0.5, help: '' },
  stop: { type: 'texts', value: 'S', help: '' },
  name: { type: 'text', value: 'S', help: '' },
  ids: { type: 'integers', value: '1,2', min: 0, help: '' },
  kind: { type: 'choice', choices: ['a', 'b', 'c'], help: '' },
  'no-bos': { type: 'flag', help: '' },
  help: { type: 'flag', short: 'h', help: '' },
} as const satisfies Options;

const values = (...args: string[]) => parse(args, options).values;
const refusal = (...args: string[]) => {
  try {
    parse(args, options);
  } catch (error) {
    expect(error).toBeInstanceOf(UsageError);
    return (error as Error).message;
  }
  throw new Error('not refused');
};

describe('parse', () => {
  it('gives types, defaults and positionals', () => {
    const { values, positionals } = parse(
      ['-n3', 'text', '--bias', '-1.5e-1', '--stop', 'x', '--stop=--', '-'],
      options,
    );
    expect(values).toEqual({
      ...{ count: 3, bias: -0.15, share: 0.5, stop: ['x', '--'], name: undefined, ids: undefined, kind: undefined },
      ...{ 'no-bos': false, help: false },
    });
    expect(positionals).toEqual(['text', '-']);
  });

  it('takes lists of integers, as JSON too', () => {
    expect(values('--ids', '1,2,3').ids).toEqual([1, 2, 3]);
    expect(values('--ids', '[1, 2]').ids).toEqual([1, 2]);
    expect(refusal('--ids', '1,,2')).toBe('--ids: got "1,,2", expected integers >= 0, comma-separated');
    expect(refusal('--ids', '')).toBe('--ids: got "", expected integers >= 0, comma-separated');
    expect(refusal('--ids', '1,-2')).toContain('--ids: got "1,-2"');
  });

  it.each(['', 'abc', '1.5', '0', '10', '0x1', '1e99', 'Infinity', ' 1', '1_0'])('refuses the integer "%s"', (text) => {
    expect(refusal(`--count=${text}`)).toBe(`--count: got "${text}", expected an integer from 1 to 9`);
  });

  it.each(['', 'x', '1.1', '-0.1', 'NaN', '1e999'])('refuses the number "%s"', (text) => {
    expect(refusal(`--share=${text}`)).toBe(`--share: got "${text}", expected a number from 0 to 1`);
  });

  it('refuses a forgotten value, and says how to give one that looks like an option', () => {
    expect(refusal('--name')).toBe('--name: got no value, expected a text');
    expect(refusal('--name', '--kind', 'a')).toBe(
      '--name: got no value, expected a text; write --name=--kind if --kind is meant',
    );
    expect(values('--name', '- item').name).toBe('- item');
    expect(values('--name=').name).toBe('');
  });

  it('refuses what it does not know, with what was probably meant', () => {
    expect(refusal('--cuont', '1')).toBe('--cuont: no such option; did you mean --count?');
    expect(refusal('--nobos')).toBe('--nobos: no such option; did you mean --no-bos?');
    expect(refusal('--zzzzzz')).toBe('--zzzzzz: no such option');
    expect(refusal('-x')).toBe('-x: no such option');
    expect(refusal('--__proto__')).toBe('--__proto__: no such option');
    expect(refusal('--kind', 'd')).toBe('--kind: got "d", expected a, b or c');
    expect(refusal('--no-bos=1')).toBe('--no-bos: got the value "1", expected none');
    expect(refusal('-n', '1', '--count', '2')).toBe('--count: given twice, expected once');
  });

  it('lets --help win over everything', () => {
    expect(values('--zzz', '--count', 'abc', '-h')).toEqual({ help: true });
  });

  it('takes what follows -- for positionals', () => {
    expect(parse(['--', '--count'], options).positionals).toEqual(['--count']);
  });
});

describe('nearest', () => {
  it('finds slips and no more', () => {
    const names = ['run', 'chat', 'tokenize', 'detokenize', 'bench'];
    expect(nearest('rnu', names)).toBe('run');
    expect(nearest('tokenise', names)).toBe('tokenize');
    expect(nearest('benhc', names)).toBe('bench');
    expect(nearest('x', names)).toBeUndefined();
    expect(nearest('serve', names)).toBeUndefined();
  });
});
