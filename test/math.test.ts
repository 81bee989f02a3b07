import { describe, expect, it } from 'vitest';
import { exp, log } from '../src/math.ts';

const relative = (a: number, b: number) => (a === b ? 0 : Math.abs(a - b) / Math.abs(b));

describe('exp and log', () => {
  it('agree with the runtime to a few units in the last place', () => {
    for (let i = -7000; i <= 7000; i++) {
      const x = i / 10 + 0.0123;
      expect(relative(exp(x), Math.exp(x)), `exp(${x})`).toBeLessThan(5e-16);
    }
    for (let i = 1; i < 20000; i++) {
      for (const x of [i / 1000, i * 1e10, i * 1e-300])
        expect(relative(log(x), Math.log(x)), `log(${x})`).toBeLessThan(5e-16);
    }
  });

  it('have the right ends', () => {
    expect([exp(0), exp(-800), exp(800), exp(Number.NaN)]).toEqual([1, 0, Infinity, Number.NaN]);
    expect(exp(-740)).toBeGreaterThan(0);
    expect([log(1), log(0), log(-1), log(Infinity)]).toEqual([0, -Infinity, Number.NaN, Infinity]);
    expect(relative(log(5e-324), -744.4400719213812)).toBeLessThan(1e-15);
  });

  it('give these bits on every runtime', () => {
    // Their own last bits, which need not be those of Math.exp and Math.log.
    expect([exp(1.1), exp(-0.3), exp(10.5), log(10.25), log(500000), log(0.37)]).toEqual([
      3.0041660239464334, 0.7408182206817179, 36315.502674246636, 2.327277705584417, 13.122363377404328, -0.994252273343867,
    ]);
  });
});
