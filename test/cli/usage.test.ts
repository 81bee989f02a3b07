import { describe, expect, it } from 'vitest';
import pkg from '../../package.json' with { type: 'json' };
import { commands } from '../../src/cli/cli.ts';
import { commonOptions } from '../../src/cli/options.ts';
import { runCli } from './harness.ts';

describe('help', () => {
  it.each(commands)('of $name tells each option, also among other options', async ({ name, options }) => {
    const { code, stdout, stderr } = await runCli([name, '--help']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    for (const [option, { short, help }] of [...Object.values(options), commonOptions].flatMap(Object.entries)) {
      expect(stdout).toMatch(new RegExp(`^ +${short ? `-${short}, ` : ''}--${option}( |$)`, 'm'));
      expect(stdout).toContain(help.split(' ')[0]);
    }
    expect((await runCli(['help', name])).stdout).toBe(stdout);
    expect((await runCli([name, '--nonsense', '-h'])).stdout).toBe(stdout);
    for (const line of stdout.split('\n')) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('has no short letter twice in a command', () => {
    for (const { options } of commands) {
      const entries = [...Object.values(options), commonOptions].flatMap((group) => Object.entries(group));
      const shorts = entries.map(([, { short }]) => short).filter(Boolean);
      expect(new Set(shorts).size).toBe(shorts.length);
      expect(new Set(entries.map(([name]) => name)).size).toBe(entries.length);
    }
  });

  it('gives the commands that run a model their options', () => {
    for (const name of ['run', 'chat', 'logits', 'perplexity', 'bench', 'profile']) {
      const { options } = commands.find((command) => command.name === name)!;
      const names =
        'model tokenizer offline no-cache refresh sha256 ctx kv activations i2s-layout head threads variant kernel revectorize'.split(
          ' ',
        );
      expect(Object.keys(options.Model!)).toEqual(names);
    }
  });

  it('lists the commands', async () => {
    for (const args of [['help'], ['--help'], ['-h']]) {
      const { code, stdout } = await runCli(args);
      expect(code).toBe(0);
      for (const { name, summary } of commands) expect(stdout).toMatch(new RegExp(`^  ${name} +${summary}`, 'm'));
    }
    expect(await runCli([])).toMatchObject({ code: 2, stdout: '' });
    expect(await runCli(['-V'])).toEqual({ code: 0, stdout: `${pkg.version}\n`, stderr: '' });
    expect((await runCli(['--version'])).stdout).toBe(`${pkg.version}\n`);
  });
});

describe('exit codes', () => {
  it.each([
    [['rum'], 'ternlight: rum: no such command; did you mean run?\nTry: ternlight help\n'],
    [['help', 'tokenise'], 'ternlight: tokenise: no such command; did you mean tokenize?\nTry: ternlight help\n'],
    [['--json'], 'ternlight: --json: expected a command first\nTry: ternlight help\n'],
    [['run', '--temp', 'abc'], 'ternlight run: --temp: got "abc", expected a number >= 0\nTry: ternlight help run\n'],
    [
      ['run', 'a', 'b'],
      'ternlight run: got 2 arguments, expected one PROMPT; put it in quotes\nTry: ternlight help run\n',
    ],
    [
      ['inspect', 'x.gguf'],
      'ternlight inspect: got the argument "x.gguf", expected options only; a model is given with -m\nTry: ternlight help inspect\n',
    ],
    [['logits'], 'ternlight logits: --ids: missing, expected the ids, comma-separated\nTry: ternlight help logits\n'],
    [
      ['perplexity'],
      'ternlight perplexity: --file: missing, expected the text to score\nTry: ternlight help perplexity\n',
    ],
    [
      ['bench', '--synthetic', 'tiny', '-m', 'x'],
      'ternlight bench: --synthetic: got -m too, expected one of them\nTry: ternlight help bench\n',
    ],
    [
      ['bench', '-p', '8', '-n', '8', '-c', '10'],
      'ternlight bench: --ctx: got 10, expected at least 16, the sum of -p and -n\nTry: ternlight help bench\n',
    ],
  ])('%j is wrong usage', async (args, stderr) => {
    expect(await runCli(args)).toEqual({ code: 2, stdout: '', stderr });
  });

  it('an option that the library refuses is wrong usage', async () => {
    const { code, stderr } = await runCli(['run', 'x', '-m', 'synthetic:huge']);
    expect(code).toBe(2);
    expect(stderr).toMatch(/^ternlight run: source: no synthetic model "huge", expected one of tiny, /);
  });

  it.each([
    ['run', 'x', '-m', '/nowhere/x.gguf'],
    ['tokenize', '--text', 'x', '-m', '/nowhere/x.gguf'],
    ['inspect', '-m', '/nowhere/x.gguf'],
    ['perplexity', '-f', '/nowhere/x.txt'],
    ['logits', '--ids', '1', '--out', '/nowhere/x.f32', '-t', '1'],
  ])('%s fails with one line that names the file', async (...args) => {
    const { code, stdout, stderr } = await runCli(args);
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(/^ternlight: [^\n]*\/nowhere\/x[^\n]*\n$/);
  });

  it('shows where an error comes from when asked', async () => {
    const { stderr } = await runCli(['inspect', '-m', '/nowhere/x.gguf'], { env: { TERNLIGHT_DEBUG: '1' } });
    expect(stderr).toMatch(/^ternlight: .*\n.*\n +at /);
  });

  it('shows no control characters of strangers', async () => {
    expect((await runCli(['inspect', '-m', 'a\x1b[31m\nb'])).stderr).toMatch(/^ternlight: source: a\\x1b\[31m b /);
  });
});
