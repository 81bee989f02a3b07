import { describe, expect, it } from 'vitest';
import { Random } from '../../src/generate/random.ts';
import { StopMatcher } from '../../src/generate/stops.ts';

/** What is shown piece by piece, and whether the text was stopped. */
function run(stop: string | string[] | undefined, pieces: Iterable<string>): { shown: string[]; stopped: boolean } {
  const matcher = new StopMatcher(stop);
  const shown: string[] = [];
  for (const piece of pieces) shown.push(matcher.push(piece));
  shown.push(matcher.end());
  return { shown, stopped: matcher.stopped };
}

describe('StopMatcher', () => {
  it('passes text through where there is nothing to stop at', () => {
    expect(run(undefined, ['a', 'b'])).toEqual({ shown: ['a', 'b', ''], stopped: false });
    expect(run([], ['a'])).toEqual({ shown: ['a', ''], stopped: false });
  });

  it('holds back what may be the beginning of a stop text', () => {
    expect(run('\n\nUser:', ['Hi\n', '\nUs', 'ual', '\n'])).toEqual({
      shown: ['Hi', '', '\n\nUsual', '', '\n'],
      stopped: false,
    });
  });

  it('ends before the stop text, and nothing comes after', () => {
    expect(run('END', ['abE', 'N', 'Dxyz', 'more'])).toEqual({ shown: ['ab', '', '', '', ''], stopped: true });
    expect(run('b', 'b')).toEqual({ shown: ['', ''], stopped: true });
  });

  it('finds a stop text that begins within another try', () => {
    expect(run('aab', ['aaa', 'b']).shown.join('')).toBe('a');
    expect(run('abac', ['ab', 'ab', 'ac']).shown.join('')).toBe('ab');
  });

  it('takes the one that is complete first, the longest of these', () => {
    expect(run(['abcd', 'bc'], ['abcd']).shown.join('')).toBe('a');
    expect(run(['c', 'bc'], ['abc']).shown.join('')).toBe('a');
  });

  it('does not depend on how the text is cut', () => {
    const random = new Random(1);
    const pick = (n: number) => Math.floor(random.next() * n);
    const word = (length: number) => Array.from({ length }, () => 'ab\n'[pick(3)]).join('');
    for (let i = 0; i < 2000; i++) {
      const stops = Array.from({ length: 1 + pick(3) }, () => word(1 + pick(4)));
      const text = word(pick(14));
      const cut = pick(text.length + 1);
      const whole = run(stops, [text]);
      expect(run(stops, [text.slice(0, cut), text.slice(cut)]).shown.join('')).toBe(whole.shown.join(''));
      const single = run(stops, text);
      expect(single.shown.join('')).toBe(whole.shown.join(''));
      expect(single.stopped).toBe(whole.stopped);
      expect(whole.stopped).toBe(stops.some((stop) => text.includes(stop)));
    }
  });

  it('refuses what is no stop text', () => {
    expect(() => new StopMatcher('')).toThrow('options: stop has "", expected texts that are not empty');
    expect(() => new StopMatcher(['a', 5 as never])).toThrow('options: stop has 5');
  });
});
