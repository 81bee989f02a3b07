// Runtimes that are started as a program: this Node, those in .runtimes/ (npm run runtimes:install), Node for arm64 by qemu.
import { execFile } from 'node:child_process';
import { existsSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { runtime } from '../../scripts/runtimes.mjs';
import type { Report } from './conformance.mjs';

const root = fileURLToPath(new URL('../../', import.meta.url));
const QEMU = '/usr/bin/qemu-aarch64-static';

export interface Program {
  readonly name: string;
  /** What has to be there, and how to get it. */
  readonly needs: readonly string[];
  readonly command: readonly string[];
  /** Told beside the runtime: "arm64 cortex-a53 by qemu". */
  readonly processor?: string;
  /** Emulated: it is to do less. */
  readonly slow?: boolean;
}

const node = (version: number): Program => {
  const path = runtime(`node${version}`).program;
  return { name: `Node ${version}`, needs: [path], command: [path] };
};
const deno = runtime('deno').program;
const bun = runtime('bun').program;
const arm = runtime('node24-arm64').program;
const emulated = (processor: string): Program => ({
  name: `Node 24, arm64 ${processor}`,
  processor: `arm64 ${processor} by qemu`,
  needs: [QEMU, arm],
  command: [QEMU, '-cpu', processor, '-L', '/', arm],
  slow: true,
});

export const programs: readonly Program[] = [
  { name: 'this Node', needs: [], command: [process.execPath] },
  node(20),
  node(22),
  node(24),
  node(26),
  {
    name: 'Deno',
    needs: [deno],
    command: [deno, 'run', '--no-prompt', '--allow-read', '--allow-env', '--allow-net=127.0.0.1', '--allow-sys'],
  },
  { name: 'Bun', needs: [bun], command: [bun] },
  emulated('max'),
  emulated('cortex-a53'),
];

/** Why it cannot run here. */
export function missing({ needs }: Program): string | undefined {
  return needs.find((path) => !existsSync(path));
}

export async function runProgram({ command }: Program, argument: object): Promise<Report> {
  const [file, ...args] = command;
  const script = join(root, 'test/runtimes/run.mjs');
  const { stdout } = await promisify(execFile)(file!, [...args, script, JSON.stringify(argument)], {
    timeout: 900_000,
    env: { ...process.env, TERNLIGHT_CACHE: 'off', NO_COLOR: '1' },
  });
  return JSON.parse(stdout);
}
