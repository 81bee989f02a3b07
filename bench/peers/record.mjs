// What a report says about where it was measured, and how it is kept.
import { execFileSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { cpus, loadavg, release, totalmem } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { root } from './engines.mjs';

export function machine() {
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: cpus().length,
    memoryGB: Math.round(totalmem() / 2 ** 30),
    os: `${process.platform} ${release()} ${process.arch}`,
    // Others' work falls on all engines, but not evenly: threads that wait for each other suffer most.
    loadBefore: Number(loadavg()[0].toFixed(2)),
  };
}

function commit() {
  try {
    const git = ['-C', root, 'describe', '--always', '--dirty'];
    return execFileSync('git', git, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

/** Of ternlight, and of what the turns have seen. */
export function versionsOf(groups) {
  const { version } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
  const seen = groups.flatMap(({ turns }) => turns.map((turn) => turn.versions));
  return Object.assign({ ternlight: version, commit: commit() }, ...seen);
}

/** Lists of numbers on one line, as the formatter would have them. */
export function toJson(report) {
  const text = JSON.stringify(report, null, 2);
  const oneLine = (list) => list.replace(/\s+/g, ' ').replace('[ ', '[').replace(' ]', ']');
  return `${text.replace(/\[[^[\]{}"]*\]/g, oneLine)}\n`;
}

/** Writes the report to a file, or into a folder under a name that tells day and machine; gives the path. */
export function keep(report, out) {
  const given = resolve(out);
  const isFolder = existsSync(given) && statSync(given).isDirectory();
  const name = `${report.machine.cpu} ${report.machine.cores}`.toLowerCase().replace(/[^a-z0-9]+/g, '-');
  const file = isFolder ? join(given, `${report.date.slice(0, 10)}-${name}.json`) : given;
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, toJson(report));
  return file;
}
