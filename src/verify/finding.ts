// What a check has to say about a file.

/** 'error': it does not run, or not right. 'warning': probably not as it should be. 'note': good to know. */
export type Level = 'error' | 'warning' | 'note';

export interface Finding {
  readonly level: Level;
  /** A key, a tensor, "file". */
  readonly where: string;
  /** What is there and what was expected. */
  readonly what: string;
  readonly cure?: string;
}

/** Of one kind this many are told one by one. */
const listed = 5;

export class Findings {
  readonly all: Finding[] = [];

  error(where: string, what: string, cure?: string): void {
    this.#add({ level: 'error', where, what, cure });
  }

  warning(where: string, what: string, cure?: string): void {
    this.#add({ level: 'warning', where, what, cure });
  }

  note(where: string, what: string, cure?: string): void {
    this.#add({ level: 'note', where, what, cure });
  }

  /** The same thing about many tensors: the first few, and how many more. */
  tensors(level: Level, names: readonly string[], what: string, cure?: string): void {
    if (names.length === 0) return;
    const rest = names.length - listed;
    const where = `${names.slice(0, listed).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
    this.#add({ level, where, what, cure });
  }

  #add({ cure, ...finding }: Finding): void {
    this.all.push(cure === undefined ? finding : { ...finding, cure });
  }
}
