import { describe, expect, it } from 'vitest';
import { Random } from '../src/generate/random.ts';
import { exp, log } from '../src/math.ts';

const relative = (a: number, b: number) => (a === b ? 0 : Math.abs(a - b) / Math.abs(b));
const absolute = (a: number, b: number) => Math.abs(a - b);

/** The greatest difference over many arguments. */
function worst(mine: (x: number) => number, theirs: (x: number) => number, by: typeof relative, xs: Iterable<number>) {
  let most = 0;
  for (const x of xs) most = Math.max(most, by(mine(x), theirs(x)));
  return most;
}

function* numbers(count: number, from: number, to: number): Generator<number> {
  const random = new Random(count);
  for (let i = 0; i < count; i++) yield from + (to - from) * random.next();
}

function* positives(count: number): Generator<number> {
  const random = new Random(count);
  for (let i = 0; i < count; i++) yield (1 + random.next()) * 2 ** (Math.floor(random.next() * 2040) - 1020);
}

const bits = (x: number) => new BigUint64Array(new Float64Array([x]).buffer)[0]!.toString(16).padStart(16, '0');

describe('against the runtime', () => {
  it('exp', () => {
    expect(worst(exp, Math.exp, relative, numbers(50_000, -708, 709))).toBeLessThan(4.5e-16);
    expect(worst(exp, Math.exp, relative, numbers(50_000, -1, 1))).toBeLessThan(4.5e-16);
    expect(worst(exp, Math.exp, absolute, numbers(1000, -745, -708))).toBeLessThan(1e-323);
  });

  it('log', () => {
    expect(worst(log, Math.log, relative, positives(50_000))).toBeLessThan(4.5e-16);
    expect(worst(log, Math.log, relative, numbers(50_000, 0.5, 2))).toBeLessThan(4.5e-16);
    expect(worst(log, Math.log, relative, numbers(10_000, 0.9999, 1.0001))).toBeLessThan(4.5e-16);
  });
});

describe('ends', () => {
  it('of exp', () => {
    expect([exp(0), exp(-0), exp(-Infinity), exp(-746), exp(710), exp(Infinity)]).toEqual([
      1,
      1,
      0,
      0,
      Infinity,
      Infinity,
    ]);
    expect(exp(Number.NaN)).toBeNaN();
    expect(relative(exp(709.782712893384), 1.797693134862273e308)).toBeLessThan(4.5e-16);
    expect(exp(-745)).toBe(5e-324);
  });

  it('of log', () => {
    expect([log(1), log(0), log(-0), log(Infinity)]).toEqual([0, -Infinity, -Infinity, Infinity]);
    expect([log(-1), log(Number.NaN)]).toEqual([Number.NaN, Number.NaN]);
    expect(relative(log(5e-324), -744.4400719213812)).toBeLessThan(4.5e-16);
  });
});

// Their own last bits, which need not be the runtime's; equal on every runtime.
it('bits', () => {
  const at = (f: (x: number) => number, xs: number[]) => xs.map((x) => bits(f(x)));
  expect(at(exp, [1, 1.1, -0.3, 10.5, -700.25])).toMatchInlineSnapshot(`
    [
      "4005bf0a8b145769",
      "400808883244d593",
      "3fe7b4c869c37c05",
      "40e1bb7015e84d3b",
      "00caf5fe9a485c8e",
    ]
  `);
  expect(at(log, [2, 10.25, 500000, 0.37, 1.0000001])).toMatchInlineSnapshot(`
    [
      "3fe62e42fefa39ef",
      "40029e43c6118f56",
      "402a3ea669a05c01",
      "bfefd0ea24bf89b8",
      "3e7ad7f2847b6492",
    ]
  `);
});
