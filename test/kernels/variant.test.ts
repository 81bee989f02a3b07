// What a build says of itself, that it takes its kind of memory, and that all export the same kernels.
import { expect, test } from 'vitest';
import { once } from './compare.ts';
import { forEachVariant } from './variants.ts';

forEachVariant((get, name) => {
  test('it wants a memory of its kind, and no other', () => {
    const { module, threads } = get();
    const link = (shared: boolean) =>
      new WebAssembly.Instance(module, {
        env: { memory: new WebAssembly.Memory({ initial: 2, maximum: 2, shared }), abort() {} },
      });
    expect(name.endsWith('threads')).toBe(threads);
    expect(link(threads).exports.heapBase).toBeTypeOf('function');
    expect(() => link(!threads)).toThrow(WebAssembly.LinkError);
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
