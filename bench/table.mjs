// The README's table of speed, from what bench/peers.mjs has kept: of each machine the newest file.
//   node bench/table.mjs [--check] [--results bench/results] [--readme README.md]
// It stands between two comments, which stay. --check writes nothing, and fails if the README is not up to date.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const BEGIN = '<!-- speed: bench/table.mjs -->';
const END = '<!-- /speed -->';
const PHASES = ['prefill', 'prefillLong', 'decode'];
const PEER = 'llama';

const root = fileURLToPath(new URL('..', import.meta.url));
const { values: options } = parseArgs({
  options: {
    check: { type: 'boolean', default: false },
    results: { type: 'string', default: join(root, 'bench/results') },
    readme: { type: 'string', default: join(root, 'README.md') },
  },
});

/** The newest report of each machine, newest first. */
function newestReports(folder) {
  const reports = readdirSync(folder)
    .filter((name) => name.endsWith('.json'))
    .map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')))
    .sort((a, b) => b.date.localeCompare(a.date));
  const machines = new Map();
  for (const report of reports) {
    const key = `${report.machine.cpu}, ${report.machine.cores} cores`;
    if (!machines.has(key)) machines.set(key, report);
  }
  return [...machines.values()];
}

const unique = (values) => [...new Set(values)];
const rate = (value) => (value >= 20 ? value.toFixed(0) : value.toFixed(1));

/** One figure for each number of threads, "52 / 96"; nothing where there is none. */
function cell(threads, figure) {
  const figures = threads.map(figure);
  return figures.every((value) => value === undefined) ? '' : figures.map((value) => value ?? '-').join(' / ');
}

/** @param report as bench/results/README.md has it */
function markdown({ date, machine, versions, repeats, results, ratios }) {
  const threads = unique(results.map((r) => r.threads)).sort((a, b) => a - b);
  const counts = results[0].counts;
  const { prefill, prefillLong, decode } = counts;
  const names = { prefill: `prefill ${prefill}`, prefillLong: `prefill ${prefillLong}`, decode: `decode ${decode}` };
  const heads = ['shape', 'engine', ...PHASES.map((phase) => names[phase])];
  const against = PHASES.map((phase) => `${names[phase]}, times llama.cpp`);
  const lines = [[...heads, ...against, 'most MB'], new Array(2 + 2 * PHASES.length + 1).fill('---')];
  for (const shape of unique(results.map((r) => r.shape)))
    for (const engine of unique(results.filter((r) => r.shape === shape).map((r) => r.engine))) {
      const of = (count) => results.find((r) => r.shape === shape && r.engine === engine && r.threads === count);
      const ratioOf = (count) =>
        ratios.find((r) => r.shape === shape && r.ours === engine && r.theirs === PEER && r.threads === count);
      const measured = threads.map(of).filter((r) => r !== undefined);
      const label = ownCounts(measured[0], counts);
      const megabytes = Math.max(...measured.map(({ peakMB }) => peakMB ?? 0));
      lines.push([
        ...[shape, label],
        ...PHASES.map((phase) =>
          cell(threads, (count) => of(count)?.[phase] && rate(of(count)[phase].tokensPerSecond)),
        ),
        ...PHASES.map((phase) => cell(threads, (count) => ratioOf(count)?.[phase]?.median.toFixed(2))),
        megabytes === 0 ? '' : String(megabytes),
      ]);
    }
  const { cpu, cores, os } = machine;
  const seen = Object.entries(versions).filter(([name]) => !name.startsWith('@'));
  return [
    `${cpu}, ${cores} cores, ${os}, ${date.slice(0, 10)}:`,
    `Versions: ${seen.map((pair) => pair.join(' ')).join(', ')}.`,
    `Tokens per second with ${threads.join(' / ')} threads, medians of ${repeats} rounds; ratios are medians of those of the rounds.`,
    '',
    ...lines.map((cells) => `| ${cells.join(' | ')} |`),
  ].join('\n');
}

/** An engine whose phases have other lengths than the heading says. */
function ownCounts({ label, counts }, usual) {
  return counts.prefill === usual.prefill ? label : `${label} (${counts.prefill}, ${counts.decode} tokens)`;
}

const reports = newestReports(options.results);
if (reports.length === 0)
  throw new Error(`${options.results} has no results: npm run bench:peers -- --out ${options.results}`);
const readme = readFileSync(options.readme, 'utf8');
const [begin, end] = [readme.indexOf(BEGIN), readme.indexOf(END)];
if (begin < 0 || end < begin) throw new Error(`${options.readme}: expected ${BEGIN} and after it ${END}`);
const tables = reports.map(markdown).join('\n\n');
const wanted = `${readme.slice(0, begin + BEGIN.length)}\n${tables}\n${readme.slice(end)}`;
if (wanted === readme) console.log('up to date');
else if (options.check) {
  console.error(`${options.readme} is not up to date: node bench/table.mjs`);
  process.exitCode = 1;
} else {
  writeFileSync(options.readme, wanted);
  console.log(`written: ${options.readme}`);
}
