// docs/RUNTIMES.md from what the tests saw: with TERNLIGHT_RUNTIMES=FILE in the environment, as `npm run runtimes` has it.
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import type { Report } from './conformance.mjs';

export interface Row {
  where: string;
  report: Report;
}

const MARK = /<!-- runtimes -->[\s\S]*<!-- \/runtimes -->/;

function line({ where, report }: Row): string {
  const cells = [where, report.build, report.kernel, report.threads, 'same', 'same', 'yes', 'yes', 'yes'];
  return `| ${cells.join(' | ')} |`;
}

/** Only what passed is a row: a failed check fails the test before. */
export function writeTable(rows: readonly Row[]): void {
  const file = process.env.TERNLIGHT_RUNTIMES;
  if (!file) return;
  if (!existsSync(file)) throw new Error(`runtimes: ${file} is not there, expected the page with the table`);
  const table = [
    '| runtime | build | kernel | threads | greedy ids | bits of logits | abort | two models | from an address |',
    '| --- | --- | --- | --- | --- | --- | --- | --- | --- |',
    ...new Set(rows.map(line)), // this Node may be one of those installed
  ];
  const text = readFileSync(file, 'utf8');
  const next = text.replace(MARK, `<!-- runtimes -->\n${table.join('\n')}\n<!-- /runtimes -->`);
  if (!MARK.test(text)) throw new Error(`runtimes: ${file} has no place for the table`);
  writeFileSync(file, next);
}
