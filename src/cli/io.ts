// What a command sees of its process: three streams, Ctrl-C and the environment. Tests give their own.
import { once } from 'node:events';
import { addAbortSignal, type Readable, type Writable } from 'node:stream';
import { TernlightError } from '../index.ts';

export type Output = Writable & { isTTY?: boolean; columns?: number };
export type Input = Readable & { isTTY?: boolean };

export interface Io {
  readonly stdin: Input;
  readonly stdout: Output;
  readonly stderr: Output;
  readonly env: Readonly<Record<string, string | undefined>>;
  /** Calls `listener` at each Ctrl-C until the returned function is called. */
  onInterrupt(listener: () => void): () => void;
  /** Ends the process at once: the second Ctrl-C, when nobody reacted to the first. */
  exit(code: number): void;
}

export function processIo(): Io {
  const { stdout, stderr } = process;
  // The reader of a pipe has left (`| head -1`): nothing is wrong and nobody listens.
  for (const stream of [stdout, stderr])
    stream.on('error', (error: NodeJS.ErrnoException) => {
      if (error.code !== 'EPIPE') throw error;
      process.exit(0);
    });
  return {
    // Touched only by commands that read: opening it may keep the process alive.
    get stdin() {
      return process.stdin;
    },
    stdout,
    stderr,
    env: process.env,
    onInterrupt(listener) {
      process.on('SIGINT', listener);
      return () => process.off('SIGINT', listener);
    },
    exit: (code) => process.exit(code),
  };
}

/** Writes, and waits while the reader is slower. */
export async function print(stream: Output, text: string): Promise<void> {
  if (text !== '' && !stream.write(text)) await once(stream, 'drain');
}

export function printJson(stream: Output, value: unknown): Promise<void> {
  return print(stream, `${JSON.stringify(value)}\n`);
}

/** All of a stream as text, its byte order mark included: ids must not depend on what a reader thought unimportant. */
export async function readText(stdin: Input, signal: AbortSignal): Promise<string> {
  let text = '';
  for await (const piece of pieces(stdin, signal)) text += piece;
  return text;
}

/** Lines, ended by \n or \r\n only: JSON strings may hold the other characters that readline takes for line ends. */
export async function* lines(stdin: Input, signal: AbortSignal): AsyncGenerator<string> {
  let rest = '';
  for await (const piece of pieces(stdin, signal)) {
    const parts = (rest + piece).split('\n');
    rest = parts.pop()!;
    for (const line of parts) yield line.replace(/\r$/, '');
  }
  if (rest !== '') yield rest;
}

async function* pieces(stdin: Input, signal: AbortSignal): AsyncGenerator<string> {
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for await (const bytes of addAbortSignal(signal, stdin)) yield decode(bytes as Uint8Array);
  yield decode();

  function decode(bytes?: Uint8Array): string {
    try {
      return decoder.decode(bytes, { stream: bytes !== undefined });
    } catch (cause) {
      throw new TernlightError('io', 'input: it is not UTF-8 text', { cause });
    }
  }
}
