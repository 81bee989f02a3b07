// The engine as modules, where sources run as they are (tests). In the built package build.mjs puts the function here.
import * as parts from './engine.ts';

/** @param _files imports of dist/ternlight-extras.js and dist/node-files.js, which a built engine makes when it needs them */
export function engine(..._files: (() => Promise<unknown>)[]): typeof parts {
  return parts;
}
