// The examples on the command line: a story in pieces, Ctrl-C, and lines from a pipe.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { missing, programs } from '../runtimes/programs.ts';
import { copyExample, root, temporaryFolder } from './user.ts';

const OPENING = 'A small dog saw';
const user = temporaryFolder();
beforeAll(() => copyExample('node', user.path));
afterAll(() => user.remove());

/** The permissions are those of the example. */
const task: string = JSON.parse(readFileSync(join(root, 'examples/deno/deno.json'), 'utf8')).tasks.story;
const denoArguments = task.split(' ').slice(1, -1);

const CASES = [
  { name: 'node', program: 'this Node', folder: join(root, 'examples/node'), args: ['story.mjs'] },
  { name: 'node, as a user', program: 'this Node', folder: user.path, args: ['story.mjs'] },
  {
    name: 'deno',
    program: 'Deno',
    folder: join(root, 'examples/deno'),
    args: [denoArguments[0]!, '--no-prompt', ...denoArguments.slice(1), 'story.ts'],
  },
  { name: 'bun', program: 'Bun', folder: join(root, 'examples/bun'), args: ['story.ts'] },
];

interface Ran {
  code: number | null;
  stdout: string;
  stderr: string;
  /** How often standard output got something. */
  writes: number;
}

/** @param interrupt whether Ctrl-C is pressed when the story has begun */
function run(file: string, args: string[], folder: string, { interrupt = false, input = '' } = {}): Promise<Ran> {
  return new Promise((resolve, reject) => {
    const child = spawn(file, args, { cwd: folder, env: { ...process.env, NO_COLOR: '1' }, timeout: 60_000 });
    const ran: Ran = { code: null, stdout: '', stderr: '', writes: 0 };
    child.stdout.on('data', (data) => {
      ran.stdout += data;
      if (++ran.writes === 5 && interrupt) child.kill('SIGINT');
    });
    child.stderr.on('data', (data) => {
      ran.stderr += data;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ ...ran, code }));
    child.stdin.end(input);
  });
}

for (const { name, program, folder, args } of CASES) {
  const { command, ...runtime } = programs.find((one) => one.name === program)!;
  const absent = missing({ command, ...runtime });
  if (absent)
    console.log(`skipped: the example for ${name} (no ${absent.replace(root, '')}; npm run runtimes:install)`);
  describe.skipIf(absent)(name, () => {
    it('writes a story in pieces', async () => {
      const { code, stdout, stderr, writes } = await run(command[0]!, [...args, OPENING], folder);
      expect(stderr).toMatch(/^\n\[\d+ tokens, \d+ a second, (length|eos)\]\n$/);
      expect(code).toBe(0);
      expect(stdout.startsWith(OPENING)).toBe(true);
      expect(stdout.length).toBeGreaterThan(OPENING.length + 100);
      expect(writes).toBeGreaterThan(5);
    });

    // Windows has no signals to send.
    it.skipIf(process.platform === 'win32')('stops at Ctrl-C', async () => {
      const { code, stderr } = await run(command[0]!, [...args, OPENING], folder, { interrupt: true });
      expect(stderr).toMatch(/^\n\[\d+ tokens, .*aborted\]\n$/);
      expect(code).toBe(130);
    });
  });
}

it('node: a story for each line', async () => {
  const { code, stdout, stderr } = await run(process.execPath, ['story.mjs'], user.path, {
    input: 'A small dog saw\n\nOne day, a cat\n',
  });
  expect(code).toBe(0);
  expect(stderr.match(/tokens/g)).toHaveLength(2);
  expect(stdout).toContain('A small dog saw');
  expect(stdout).toContain('One day, a cat');
});
