// What a build says of itself, that it takes its kind of memory, and that all export the same kernels.
import { expect, test } from 'vitest';
import { once } from './compare.ts';
import { forEachVariant } from './variants.ts';

forEachVariant((get, name) => {
  test('it wants a memory of its kind, and no other', () => {
    const { modules, threads } = get();
    const link = (shared: boolean) =>
      modules.map((module) => {
        const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared });
        return new WebAssembly.Instance(module, { env: { memory, abort() {} } });
      });
    expect(name.endsWith('threads')).toBe(threads);
    expect(link(threads).length).toBe(name.startsWith('relaxed') ? 2 : 1);
    expect(() => link(!threads)).toThrow(WebAssembly.LinkError);
  });

  test('the constants of its modules do not overlap', () => {
    const bases = get().modules.map((module) => {
      const memory = new WebAssembly.Memory({ initial: 2, maximum: 2, shared: get().threads });
      const { exports } = new WebAssembly.Instance(module, { env: { memory, abort() {} } });
      const used = new Uint8Array(memory.buffer);
      return { first: used.findIndex((byte) => byte !== 0), end: (exports.heapBase as () => number)() };
    });
    for (const [i, { first, end }] of bases.entries()) {
      expect(end).toBeGreaterThan(first);
      if (i > 0) expect(first).toBeGreaterThanOrEqual(bases[i - 1]!.end);
    }
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
