// What this browser remembers for the page. Where it may remember nothing (private windows), it forgets: no error.

export function recall(name: string): string | undefined {
  try {
    return localStorage.getItem(`ternlight.${name}`) ?? undefined;
  } catch {
    return undefined;
  }
}

/** Whether it is remembered. */
export function remember(name: string, value: string): boolean {
  try {
    localStorage.setItem(`ternlight.${name}`, value);
    return true;
  } catch {
    return false;
  }
}
