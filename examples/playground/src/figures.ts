// Numbers as people read them: three significant digits.
const UNITS = ['', 'k', 'M', 'G', 'T'];
const three = new Intl.NumberFormat('en', { maximumSignificantDigits: 3 });
const whole = new Intl.NumberFormat('en', { maximumFractionDigits: 0 });

/** "2.41 G", with a space before the unit's letter. */
function scaled(count: number): string {
  const at = count < 1000 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log10(count) / 3));
  return `${three.format(count / 1000 ** at)} ${UNITS[at]}`;
}

/** "1.19 GB": decimal units. */
export function bytes(count: number): string {
  return `${scaled(count)}B`;
}

/** "10.9 M". */
export function amount(count: number): string {
  return scaled(count).trim();
}

/** "612", "24.3": tokens per second. */
export function rate(perSecond: number): string {
  return perSecond >= 100 ? whole.format(perSecond) : three.format(perSecond);
}

export function plural(count: number, noun: string): string {
  return `${whole.format(count)} ${noun}${count === 1 ? '' : 's'}`;
}
