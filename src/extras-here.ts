// The extras as modules, where sources run as they are (tests). In the built package build.mjs has them in a file.
import type * as parts from './extras.ts';

export function importExtras(_shared: object): Promise<typeof parts> {
  return import('./extras.ts');
}
