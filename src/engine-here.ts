// The engine as modules, where sources run as they are (tests). In the built package build.mjs puts the function here.
import * as parts from './engine.ts';

export function engine(): typeof parts {
  return parts;
}
