// Runs commands in this process, their streams in memory.
import { readFileSync } from 'node:fs';
import { PassThrough, Readable } from 'node:stream';
import { cli } from '../../src/cli/cli.ts';
import type { Io, Output } from '../../src/cli/io.ts';
import { packagedModel } from '../../src/index.ts';

export interface Ran {
  code: number;
  stdout: string;
  stderr: string;
}

export interface Surroundings {
  stdin?: string | Readable;
  /** Whether standard error (and standard output) is a terminal. */
  stderrTty?: boolean;
  stdoutTty?: boolean;
  env?: Record<string, string>;
  /** Called at each write, with all that the stream has got so far; `interrupt` is a press of Ctrl-C. */
  onOutput?: (text: string, interrupt: () => void) => void;
  onError?: (text: string, interrupt: () => void) => void;
}

export async function runCli(args: readonly string[], around: Surroundings = {}): Promise<Ran> {
  const listeners = new Set<() => void>();
  const interrupt = () => {
    for (const listener of [...listeners]) listener();
  };
  const out = collector((text) => around.onOutput?.(text, interrupt));
  const err = collector((text) => around.onError?.(text, interrupt));
  if (around.stdoutTty) out.stream.isTTY = true;
  if (around.stderrTty) err.stream.isTTY = true;
  const { stdin = '' } = around;
  const io: Io = {
    stdin: typeof stdin === 'string' ? Readable.from(stdin === '' ? [] : [Buffer.from(stdin)]) : stdin,
    stdout: out.stream,
    stderr: err.stream,
    env: around.env ?? {},
    onInterrupt(listener) {
      listeners.add(listener);
      return () => listeners.delete(listener);
    },
    exit: (code) => {
      throw new Error(`exit ${code}`);
    },
  };
  const code = await cli(args, io);
  if (listeners.size > 0) throw new Error('the command left a listener for Ctrl-C behind');
  return { code, stdout: out.text(), stderr: err.text() };
}

function collector(onWrite?: (text: string) => void): { stream: Output; text: () => string } {
  let text = '';
  const stream: Output = new PassThrough();
  stream.on('data', (bytes: Buffer) => {
    text += bytes.toString();
    onWrite?.(text);
  });
  return { stream, text: () => text };
}

/** The packaged model with a chat template, which it does not have. */
export function modelWithTemplate(template: string): Uint8Array {
  const model = readFileSync(packagedModel);
  const name = 'tokenizer.chat_template';
  // Tensor data is aligned to 32 bytes after the header: the insertion must not change the remainder.
  const fixedBytes = 8 + name.length + 4 + 8;
  const value = template + ' '.repeat(31 - ((fixedBytes + template.length + 31) % 32));
  const item = Buffer.alloc(fixedBytes + value.length);
  item.writeBigUInt64LE(BigInt(name.length), 0);
  item.write(name, 8);
  item.writeUInt32LE(8, 8 + name.length); // string
  item.writeBigUInt64LE(BigInt(value.length), 12 + name.length);
  item.write(value, fixedBytes);
  const head = Buffer.from(model.subarray(0, 24));
  head.writeBigUInt64LE(head.readBigUInt64LE(16) + 1n, 16);
  return Buffer.concat([head, item, model.subarray(24)]);
}
