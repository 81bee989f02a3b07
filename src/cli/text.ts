// Numbers and tables as people read them; text of strangers as a terminal may show it.
import type { Io, Output } from './io.ts';

/** Control characters other than line ends and tabs made visible: model files and models could drive the terminal. */
export function printable(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: they are what is looked for
  return text.replace(/[\x00-\x08\x0b-\x1f\x7f-\x9f]/g, (c) => `\\x${c.charCodeAt(0).toString(16).padStart(2, '0')}`);
}

/** `text` for `stream`: unchanged, unless a terminal shows it. */
export function forStream(stream: Output, text: string): string {
  return stream.isTTY ? printable(text) : text;
}

export function dim(io: Io, stream: Output, text: string): string {
  return stream.isTTY && !io.env.NO_COLOR ? `\x1b[2m${text}\x1b[22m` : text;
}

/** "1.18 GB": decimal units. */
export function bytes(count: number): string {
  return `${scaled(count)}B`;
}

/** "2.41 G" with a space before the unit's letter, which may be none. */
export function scaled(count: number): string {
  const units = ['', 'k', 'M', 'G', 'T'];
  const at = count < 1000 ? 0 : Math.min(units.length - 1, Math.floor(Math.log10(count) / 3));
  const value = count / 1000 ** at;
  return `${at === 0 ? value : value.toPrecision(3)} ${units[at]}`;
}

/** Three significant digits, more before the point. */
export function figure(value: number): string {
  return value >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

/** Rows as lines with columns of equal width; `right` are the columns that are numbers. */
export function table(rows: readonly (readonly string[])[], right: readonly number[] = []): string {
  const widths = (rows[0] ?? []).map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  return rows
    .map((row) => row.map((cell, i) => (right.includes(i) ? cell.padStart(widths[i]!) : cell.padEnd(widths[i]!))))
    .map((row) => `${row.join('  ').trimEnd()}\n`)
    .join('');
}
