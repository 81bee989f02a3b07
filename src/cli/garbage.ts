// Collects what is no longer used, so that resident memory is the model's and not that of the one before.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

export function collectGarbage(): void {
  const { Bun } = globalThis as { Bun?: { gc(now: boolean): void } };
  if (Bun) {
    Bun.gc(true);
    return;
  }
  try {
    setFlagsFromString('--expose-gc');
    (runInNewContext('gc') as () => void)();
  } catch {
    // Deno has no such switch: the figure is then an upper bound.
  }
}
