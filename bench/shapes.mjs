// Every published shape with random weights: what memory it takes and how fast it is. The table of docs/SHAPES.md.
//   node bench/shapes.mjs [--filter bonsai] [--threads 2] [--ctx 2048] [--json]
import { spawnSync } from 'node:child_process';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    filter: { type: 'string', default: '' },
    threads: { type: 'string', default: '2' },
    ctx: { type: 'string', default: '2048' },
    repeats: { type: 'string', default: '3' },
    json: { type: 'boolean', default: false },
  },
});
const { syntheticNames } = await import(new URL('../dist/ternlight.js', import.meta.url));
const cli = fileURLToPath(new URL('../dist/cli.js', import.meta.url));

/** Each in a process of its own, so that no model's memory is another's. */
function measure(name) {
  const args = ['bench', '--synthetic', name, '-p', '128', '-n', '16', '-r', options.repeats];
  const { stdout, stderr, status } = spawnSync(
    process.execPath,
    [cli, ...args, '-t', options.threads, '--ctx', options.ctx, '--json'],
    { encoding: 'utf8', maxBuffer: 1 << 26 },
  );
  if (status !== 0) return { name, error: stderr.trim().split('\n').at(-1) };
  return { name, ...JSON.parse(stdout)[0] };
}

const results = [];
console.log(
  `${cpus()[0]?.model.trim()}, Node ${process.versions.node}, ${options.threads} threads, context ${options.ctx}\n`,
);
console.log('| shape | resident MB | prefill tok/s | decode tok/s | load s |');
console.log('|---|---|---|---|---|');
for (const name of syntheticNames) {
  if (!name.includes(options.filter) || name === 'tiny') continue;
  const r = measure(name);
  results.push(r);
  if (r.error) console.log(`| ${name} | ${r.error} | | | |`);
  else {
    const rate = (v) => v.toPrecision(3);
    const cells = [r.residentMB, rate(r.prefill.median), rate(r.decode.median), (r.loadMs / 1000).toFixed(1)];
    console.log(`| ${name} | ${cells.join(' | ')} |`);
  }
}
if (options.json) console.log(JSON.stringify(results));
