// What a build says of itself, and that the four of them export the same kernels.
import { expect, test } from 'vitest';
import { once } from './compare.ts';
import { forEachVariant } from './variants.ts';

forEachVariant((get, name) => {
  test('variantFlags tell which build this is', () => {
    expect(get().kernels.variantFlags()).toBe(
      (name.startsWith('relaxed') ? 1 : 0) | (name.endsWith('threads') ? 2 : 0),
    );
  });

  test('heapBase lies behind the constants', () => {
    expect(get().kernels.heapBase()).toBeGreaterThan(1024);
    expect(get().kernels.heapBase()).toBeLessThan(65536);
  });

  test('relaxedDotProbe knows the engine, and answers 0 without relaxed SIMD', () => {
    expect(get().relaxed ? [0, 1, 2] : [0]).toContain(get().kernels.relaxedDotProbe());
  });

  test('exports are those of every other build', () => {
    const names = Object.keys(get().kernels).sort();
    expect(names).toEqual(once('exports', () => names));
    expect(names.length).toBeGreaterThan(30);
  });
});
