// How names and values out of a stranger's JSON stand in messages: quoted, and never longer than a line.

/** Long or strange names must not fill the message. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 80 ? `${text.slice(0, 77)}...` : text);
}

/** A value of JSON: text in quotes, lists and objects by their kind. */
export function describe(value: unknown): string {
  if (typeof value === 'string') return quote(value);
  if (value === undefined) return 'missing';
  if (typeof value !== 'object' || value === null) return String(value);
  if (!Array.isArray(value)) return 'an object';
  const text = JSON.stringify(value);
  return text.length <= 60 ? text : `a list of ${value.length}`;
}
