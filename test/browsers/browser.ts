// A real browser as tests drive it: the same few verbs for Chromium, Firefox and WebKit, whatever their protocols are.
import { existsSync } from 'node:fs';

export interface Browser {
  /** "Chromium 156.0.8078.79". */
  readonly name: string;
  /** Opens an address in a page of its own and waits until its script has set `ready` (unless told not to). */
  open(url: string, options?: { ready?: boolean }): Promise<Page>;
  close(): Promise<void>;
}

export interface Page {
  /** Calls a function that uses nothing from outside; argument and result as JSON. */
  call<A, R>(run: (argument: A) => R | Promise<R>, argument?: A): Promise<Awaited<R>>;
  /** Errors and what the console was told. */
  log(): Promise<string[]>;
  reload(): Promise<void>;
  /** PNG. */
  screenshot(): Promise<Uint8Array>;
  close(): Promise<void>;
}

export interface LaunchOptions {
  /** Folder of what it keeps; WebKit keeps nothing. */
  profile?: string;
  /** More on its command line: Chromium's. */
  args?: readonly string[];
}

export interface BrowserKind {
  readonly name: 'Chromium' | 'Firefox' | 'WebKit';
  /** Its program here, and why there is none. */
  readonly path: string;
  launch(options?: LaunchOptions): Promise<Browser>;
}

/** Those that stand here; tells which do not. */
export function present(kinds: readonly BrowserKind[]): BrowserKind[] {
  return kinds.filter(({ name, path }) => {
    if (existsSync(path)) return true;
    console.log(`skipped: ${name} (no ${path}; install it or set ${name.toUpperCase()})`);
    return false;
  });
}

/** Milliseconds that a page may take to be ready, and a call to answer. */
export const READY_MS = 30_000;
export const CALL_MS = 110_000;

/** Milliseconds for one question: Firefox never answers one that a change of page came between. */
const ASK_MS = 3000;

/**
 * Asks until it is so. Drivers' own waiting evaluates text in the page, which a Content-Security-Policy forbids; a page
 * that is on its way to another address cannot answer.
 */
export async function until(isSo: () => Promise<unknown>, what = 'the page was not ready'): Promise<void> {
  for (const end = Date.now() + READY_MS; ; ) {
    let problem: unknown;
    try {
      const late = wait(ASK_MS).then(() => false);
      if (await Promise.race([isSo(), late])) return;
    } catch (error) {
      problem = error;
    }
    if (Date.now() > end) throw new Error(`${what} after ${READY_MS} ms`, { cause: problem });
    await wait(50);
  }
}

function wait(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
