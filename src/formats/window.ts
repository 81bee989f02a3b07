// The last few MiB of something that is read forwards, so that its near past can be read again.

/** What a sequential source keeps. The header reader overshoots by less (gguf.ts). */
export const windowBytes = 4 << 20;

export class Window {
  /** Absolute offset of the first byte that has not been seen yet. */
  end: number;
  private readonly parts: Uint8Array[] = [];
  private keptBytes = 0;

  constructor(startBytes: number) {
    this.end = startBytes;
  }

  /** Absolute offset of the oldest byte kept. */
  get start(): number {
    return this.end - this.keptBytes;
  }

  /** `part` follows. What lies more than `windowBytes` before `wanted` is let go: nobody comes back that far. */
  push(part: Uint8Array, wanted: number): void {
    this.parts.push(part);
    this.end += part.byteLength;
    this.keptBytes += part.byteLength;
    const from = Math.min(wanted, this.end) - windowBytes;
    while (this.parts.length > 0 && this.start + this.parts[0]!.byteLength <= from) {
      this.keptBytes -= this.parts.shift()!.byteLength;
    }
  }

  /** Copies what is kept of [offset, offset + out.length) and returns how many bytes of its front are now filled. */
  copy(offset: number, out: Uint8Array): number {
    let at = this.start;
    const from = offset;
    for (const part of this.parts) {
      const begin = Math.max(offset, at);
      const end = Math.min(offset + out.byteLength, at + part.byteLength);
      if (begin < end) out.set(part.subarray(begin - at, end - at), begin - from);
      at += part.byteLength;
    }
    return Math.max(0, Math.min(this.end - offset, out.byteLength));
  }
}

/** Runs one task after another, however many callers do not wait. */
export function queue(): <T>(task: () => Promise<T>) => Promise<T> {
  let last: Promise<unknown> = Promise.resolve();
  return (task) => {
    const run = last.then(task, task);
    last = run.catch(() => {});
    return run;
  };
}

/** Runs at most `count` tasks at once, in the order in which they came. */
export function gate(count: number): <T>(task: () => Promise<T>) => Promise<T> {
  const waiting: (() => void)[] = [];
  let running = 0;
  return async (task) => {
    if (running < count) running++;
    else await new Promise<void>((resolve) => waiting.push(resolve));
    try {
      return await task();
    } finally {
      const next = waiting.shift();
      if (next) next();
      else running--;
    }
  };
}

/** `promise`, or the reason of `signal` as soon as it is aborted; `onAbort` may let go of what is being waited for. */
export async function abortable<T>(
  promise: Promise<T>,
  signal: AbortSignal | undefined,
  onAbort: () => void,
): Promise<T> {
  if (!signal) return promise;
  let stop = () => {};
  const aborted = new Promise<never>((_, reject) => {
    stop = () => {
      reject(signal.reason); // first: letting go may settle `promise`
      onAbort();
    };
    if (signal.aborted) stop();
    else signal.addEventListener('abort', stop, { once: true });
  });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener('abort', stop);
    promise.catch(() => {}); // the loser of the race
  }
}
