// Puts other runtimes into .runtimes/, for the tests in test/runtimes.
//   node scripts/install-runtimes.mjs [NAME ...]     all of them, or those: node22 node24 node26 deno bun node24-arm64
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { runtime, runtimeNames } from './runtimes.mjs';

function install(name) {
  const { spec, place, program } = runtime(name);
  if (existsSync(program)) return;
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
for (const name of asked.length > 0 ? asked : runtimeNames) install(name);
