// The engine as modules, where sources run as they are (tests). In the built package build.mjs puts the function here.
import * as parts from './engine.ts';

/** @param _extras address of the extras, which a built engine loads */
export function engine(_extras: string): typeof parts {
  return parts;
}
