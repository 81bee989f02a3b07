// ternlight verify: the report, the exit code, and the comparison of two files.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { packagedModel } from '../../src/index.ts';
import { converted, modelFile } from '../convert/helpers.ts';
import { runCli } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'ternlight-verify-'));
const packaged = fileURLToPath(packagedModel);
const bytes = new Uint8Array(readFileSync(packaged));

afterAll(() => rmSync(folder, { recursive: true }));

function file(name: string, content: Uint8Array): string {
  const path = join(folder, name);
  writeFileSync(path, content);
  return path;
}

async function damaged(): Promise<string> {
  const { tensors } = await modelFile(bytes);
  const copy = bytes.slice();
  copy[tensors.find(({ encoding }) => encoding.name === 'TQ2_0')!.offsetBytes] = 0xff;
  return file('damaged.gguf', copy);
}

describe('verify', () => {
  it('reports what the file is and that it is sound', async () => {
    const { code, stdout, stderr } = await runCli(['verify']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(stdout).toMatch(/^format +GGUF v3$/m);
    expect(stdout).toMatch(/^architecture +bitnet-b1\.58$/m);
    expect(stdout).toMatch(/^encodings +TQ2_0: 35 tensors, 9\.83 M weights, 2\.53 MB$/m);
    expect(stdout).toMatch(/^zeros +32\.8 % of the ternary weights$/m);
    expect(stdout).toMatch(/^checked +3\.\d+ MB of weights$/m);
    expect(stdout).toMatch(/^note: +tokenizer\.chat_template: is missing/m);
    expect(stdout.endsWith('no errors, no warnings\n')).toBe(true);
    expect((await runCli(['verify', packaged])).stdout).toBe(stdout);
    expect((await runCli(['verify', '-m', packaged])).stdout).toBe(stdout);
    expect((await runCli(['verify', '--quick'])).stdout).toMatch(/^checked +the header only$/m);
  });

  it('tells the same with --json', async () => {
    const { code, stdout } = await runCli(['verify', '--json']);
    expect(code).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ source: packaged, format: 'GGUF v3', architecture: 'bitnet-b1.58', ok: true },
      findings: [{ level: 'note', where: 'tokenizer.chat_template' }],
    });
    expect(stdout).not.toContain('comparison');
  });

  it('fails for what is damaged, naming it', async () => {
    const path = await damaged();
    const { code, stdout, stderr } = await runCli(['verify', path]);
    expect({ code, stderr }).toEqual({ code: 1, stderr: '' });
    expect(stdout).toMatch(/^error: +blk\.0\.attn_\w+\.weight: TQ2_0: the data holds a code 3/m);
    expect(stdout.endsWith('1 error, no warnings\n')).toBe(true);
    expect((await runCli(['verify', path, '--quick'])).code).toBe(0);
    // There is nothing to compare then.
    const { stdout: json } = await runCli(['verify', path, '--json', '--against', packaged]);
    expect(JSON.parse(json)).toMatchObject({ ok: false });
    expect(json).not.toContain('comparison');
  });

  it('gives its verdict on what is no model file at all', async () => {
    const page = file('page.gguf', new TextEncoder().encode('<!doctype html><title>404</title>'));
    const { code, stdout } = await runCli(['verify', page, '--json']);
    expect(code).toBe(1);
    expect(JSON.parse(stdout)).toMatchObject({
      ...{ ok: false, encodings: [] },
      findings: [{ level: 'error', where: 'file', what: expect.stringContaining('a web page') }],
    });
    const short = file('short.gguf', bytes.subarray(0, 2_000_000));
    expect((await runCli(['verify', short])).stdout).toMatch(/^error: +file: gguf: .*the file is cut short/m);
  });

  it('fails as every command does where the file cannot be read', async () => {
    const { code, stdout, stderr } = await runCli(['verify', join(folder, 'nowhere.gguf')]);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ternlight: source: .*nowhere\.gguf does not exist/);
  });

  it('stops at Ctrl-C', async () => {
    const { code } = await runCli(['verify', 'synthetic:bitnet-0.7b', '--i2s-layout', 'x86'], {
      stderrTty: true,
      onError: (text, interrupt) => {
        if (text.endsWith('MB')) interrupt();
      },
    });
    expect(code).toBe(130);
  });

  it.each([
    [['a', '-m', 'b'], '-m: got FILE too, expected one of them'],
    [['--prompt', 'x'], '--prompt: got no --against, expected both'],
    [['--against', 'x', '--top1', '2'], '--top1: got "2", expected a number from 0 to 1'],
  ])('%j is wrong usage', async (args, text) => {
    const { code, stderr } = await runCli(['verify', ...args]);
    expect(code).toBe(2);
    expect(stderr.startsWith(`ternlight verify: ${text}`)).toBe(true);
  });
});

describe('verify --against', () => {
  const quick = ['-t', '1', '--quick', '--prompt', 'Once upon a time there was a little girl named Lily.'];

  it('lays the logits of two files side by side', async () => {
    const { bytes: other } = await converted(bytes, { embedding: 'F16', ternary: 'TQ1_0' });
    const path = file('tq1.gguf', other);
    const { code, stdout } = await runCli(['verify', path, '--against', packaged, ...quick, '--json']);
    expect(code).toBe(0);
    const { comparison, ok } = JSON.parse(stdout);
    expect(ok).toBe(true);
    expect(comparison).toMatchObject({ top1: expect.any(Number), positions: 13, notes: [] });
    expect(comparison.relativeRms).toBeLessThan(0.03);
    const { stdout: text } = await runCli(['verify', path, '--against', packaged, ...quick]);
    expect(text).toMatch(/^against +.*tinystories.*, 13 positions$/m);
    expect(text).toMatch(/^likeliest token +the same at [\d.]+ %$/m);
    expect(text).toMatch(/^nll +\d\.\d{4}, against \d\.\d{4} nats a token$/m);
  });

  it('fails where too few tokens are the same', async () => {
    const { bytes: coarse } = await converted(bytes, { embedding: 'Q6_K' });
    const texts = ['--prompt', 'The '.repeat(40), '--prompt', 'One day, 7 x 8 = 56 and so on. Why?'];
    const args = ['verify', file('q6k.gguf', coarse), '--against', packaged, ...quick, ...texts];
    expect((await runCli([...args, '--top1', '0'])).code).toBe(0);
    const { code, stdout } = await runCli([...args, '--top1', '1']);
    expect(code).toBe(1);
    expect(stdout).toMatch(/^likeliest token +the same at [\d.]+ %, expected 100\.0 %$/m);
  });

  it('refuses what is another model', async () => {
    const { code, stderr } = await runCli(['verify', packaged, '--against', 'synthetic:tiny', ...quick]);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ternlight verify: compare: the vocabularies have 2048 and 512 tokens/);
  });
});
