// The benchmarks that a change to the engine should be seen in, one after another, small: each has options of its own.
//   npm run bench [-- --json]
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({ options: { json: { type: 'boolean', default: false } } });
const QUICK = {
  kernels: ['--ms', '200', '--filter', '^matmul(Ternary|I8Row)'],
  barriers: [],
  tokens: ['--shapes', '0.7b'],
};

const results = {};
for (const [name, args] of Object.entries(QUICK)) {
  const file = fileURLToPath(new URL(`${name}.mjs`, import.meta.url));
  const { status, stdout } = spawnSync(process.execPath, [file, ...args, ...(options.json ? ['--json'] : [])], {
    stdio: ['ignore', options.json ? 'pipe' : 'inherit', 'inherit'],
    encoding: 'utf8',
    maxBuffer: 2 ** 26,
  });
  if (status !== 0) throw new Error(`bench/${name}.mjs ended with status ${status}`);
  // Some print as they go; the JSON is the last line.
  if (options.json) results[name] = JSON.parse(stdout.trim().split('\n').at(-1));
  else console.log();
}
if (options.json) console.log(JSON.stringify(results));
