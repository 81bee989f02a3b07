// The command as a process: exit codes, pipes that close, signals. A bundle of its own, so that no build is needed.
import { type ChildProcess, spawn } from 'node:child_process';
import { mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';
import { afterAll, beforeAll, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../..', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'ternlight-process-'));
const bundle = join(folder, 'dist', 'cli.js');

beforeAll(async () => {
  symlinkSync(join(root, 'model'), join(folder, 'model'), 'junction');
  await build({
    entryPoints: [join(root, 'src/cli/main.ts')],
    ...{ bundle: true, platform: 'node', format: 'esm', outfile: bundle, logLevel: 'silent', absWorkingDir: root },
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

function start(...args: string[]): ChildProcess {
  return spawn(process.execPath, [bundle, ...args], { stdio: 'pipe' });
}

async function finish(child: ChildProcess): Promise<{ code: number | null; stdout: string; stderr: string }> {
  let stdout = '';
  let stderr = '';
  child.stdout!.on('data', (bytes) => {
    stdout += bytes;
  });
  child.stderr!.on('data', (bytes) => {
    stderr += bytes;
  });
  const code = await new Promise<number | null>((resolve) => child.on('close', resolve));
  return { code, stdout, stderr };
}

it('runs the model in the package, with threads, and ends by itself', async () => {
  const { code, stdout, stderr } = await finish(start('run', 'Once upon a time', '-n', '8', '--temp', '0', '-t', '2'));
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^Once upon a time\S.* .*\n$/);
});

it('ends with 1 for a failure and 2 for wrong usage', async () => {
  expect(await finish(start('inspect', '-m', 'nowhere.gguf'))).toMatchObject({ code: 1, stdout: '' });
  expect(await finish(start('run', '--temp', 'abc'))).toMatchObject({ code: 2, stdout: '' });
});

it('reads a prompt from a pipe', async () => {
  const child = start('run', '-n', '2', '--json');
  child.stdin!.end('Once upon\n');
  expect(JSON.parse((await finish(child)).stdout)).toMatchObject({ promptTokens: 3 });
});

it('is quiet when the reader leaves', async () => {
  const child = start('tokenize', '--jsonl');
  child.stdin!.on('error', () => {}); // it may end before it has read everything
  child.stdout!.once('data', () => child.stdout!.destroy());
  child.stdin!.end('"Once upon a time"\n'.repeat(200_000));
  const { code, stderr } = await finish(child);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
});

// Windows has no signals to send.
it.skipIf(process.platform === 'win32')('stops at Ctrl-C and tells what there is', async () => {
  const child = start('run', 'Once upon a time', '-m', 'synthetic:tiny', '-t', '1', '-c', '100000');
  child.stdout!.once('data', () => child.kill('SIGINT'));
  const { code, stdout, stderr } = await finish(child);
  expect(code).toBe(130);
  expect(stdout).toMatch(/^Once upon a time.*\n$/s);
  expect(stderr).not.toMatch(/^ternlight: /m);
});
