// What may not change a bit: builds, row kernels, threads.
import type { LoadOptions } from '../../src/index.ts';
import { VARIANTS, validates } from '../../src/runtime/variant.ts';

const KERNELS = ['dot', 'paired', 'i16', 'wide'] as const;

/** Every build, row kernel and one of `threads` that this engine runs; what it does not is printed. */
export async function configurations(threads: readonly number[]): Promise<[name: string, options: LoadOptions][]> {
  const all: [string, LoadOptions][] = [];
  for (const variant of VARIANTS) {
    if (!(await validates(variant))) {
      console.log(`skipped: build ${variant} (this engine does not accept it)`);
      continue;
    }
    for (const kernel of KERNELS) {
      if (kernel !== 'wide' && !variant.startsWith('relaxed')) continue;
      for (const count of variant.endsWith('threads') ? threads : [1]) {
        all.push([`${variant}, ${kernel}, ${count} threads`, { variant, kernel, threads: count }]);
      }
    }
  }
  return all;
}
