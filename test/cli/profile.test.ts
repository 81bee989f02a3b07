import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import type { TraceEvent } from '../../src/cli/profile-trace.ts';
import { runCli } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'ternlight-profile-'));
const quick = ['profile', '-p', '20', '-n', '3'];
const roles = [
  ...['embd', 'norms/quantise', 'attn_q+k+v', 'rope+cache', 'attn', 'attn_output', 'ffn_gate+up', 'ffn_down'],
  'head',
];

afterAll(() => rmSync(folder, { recursive: true }));

describe('profile', () => {
  it('is a table for each phase, and how fast memory is read', async () => {
    const { code, stdout } = await runCli([...quick, '-t', '2', '--synthetic', 'tiny']);
    expect(code).toBe(0);
    const lines = stdout.split('\n');
    expect(lines[0]).toMatch(/^synthetic.*, 2 threads; kernels \w+ \(decode\), \w+ \(prefill\); kv f16, head \w+$/);
    const phases = [
      [2, /^prefill, 20 tokens at [\d.]+ tok\/s; of the whole prompt:$/],
      [16, /^decode, 3 tokens at [\d.]+ tok\/s; of one token:$/],
    ] as const;
    for (const [first, title] of phases) {
      expect(lines[first]).toMatch(title);
      expect(lines[first + 1]).toMatch(/^ +calls +ms +wait ms +share % +bytes +GB\/s$/);
      const rows = lines.slice(first + 2, first + 13);
      expect(rows.map((row) => row.split(' ')[0])).toEqual([...roles, 'host', 'total']);
      expect(rows.at(-1)).toMatch(/^total +\d+ +[\d.]+ +[\d.]+ +100\.0 +[\d.]+ [kM]B +[\d.]+$/);
      expect(lines[first + 13]).toBe('');
    }
    expect(stdout.trimEnd()).toMatch(
      /\n2 threads read 256 MB from end to end at [\d.]+ GB\/s here; a decode step reads [\d.]+ [kM]B at [\d.]+ GB\/s, \d+ % of that$/,
    );
  });

  it('has no waiting with one thread', async () => {
    const { stdout } = await runCli([...quick, '-t', '1', '--synthetic', 'tiny']);
    expect(stdout).toMatch(/, 1 thread; /);
    expect(stdout).not.toContain('wait');
    expect(stdout).toContain('\n1 thread reads 256 MB');
  });

  it('tells the same with --json', async () => {
    const { code, stdout, stderr } = await runCli([...quick, '-t', '1', '--json']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const { prefill, decode, read, decodeOfRead, ...rest } = JSON.parse(stdout);
    expect(rest).toEqual({
      ...{ model: 'tinystories-bitnet-11m', runtime: expect.any(String), build: expect.any(String) },
      ...{ kernels: expect.anything(), kv: 'f16', head: 'stored', threads: 1 },
    });
    for (const [phase, tokens] of [
      [prefill, 20],
      [decode, 3],
    ]) {
      expect(phase.tokens).toBe(tokens);
      expect(phase.roles.map(({ role }: { role: string }) => role)).toEqual(roles);
      const sum = (of: string) => phase.roles.reduce((n: number, role: Record<string, number>) => n + role[of]!, 0);
      expect(sum('ms') + phase.host.ms).toBeCloseTo(phase.ms, 6);
      expect(sum('share') + phase.host.share).toBeCloseTo(1, 9);
      expect(sum('bytes')).toBeCloseTo(phase.bytes, 3);
      expect(phase.host.ms).toBeGreaterThanOrEqual(0);
      expect(phase.tokensPerSecond).toBeCloseTo((1000 * tokens) / phase.ms, 6);
      expect(phase.bytesPerSecond).toBeCloseTo((1000 * phase.bytes) / phase.ms, 0);
    }
    // Five layers, and five stages of the model's own.
    expect(decode.roles.find(({ role }: { role: string }) => role === 'attn').calls).toBe(3 * 5);
    expect(read).toEqual({ regionBytes: 256e6, passes: expect.any(Number), bytesPerSecond: expect.any(Number) });
    expect(decodeOfRead).toBeCloseTo(decode.bytesPerSecond / read.bytesPerSecond, 9);
  });

  it('writes a trace', async () => {
    const path = join(folder, 'trace.json');
    writeFileSync(path, 'an older one');
    const { code, stdout } = await runCli([...quick, '-t', '2', '--json', '--trace', path]);
    expect(code).toBe(0);
    expect(readdirSync(folder)).toEqual(['trace.json']);
    const { traceEvents, displayTimeUnit, otherData } = JSON.parse(readFileSync(path, 'utf8'));
    expect(displayTimeUnit).toBe('ms');
    expect(otherData).toMatchObject({ model: 'tinystories-bitnet-11m', threads: 2 });
    const events = traceEvents as Required<TraceEvent>[];
    const names = events.filter(({ ph }) => ph === 'M').map(({ name, tid, args }) => [name, tid, args.name]);
    expect(names).toEqual([
      ['process_name', undefined, 'ternlight: tinystories-bitnet-11m'],
      ['thread_name', 1, 'prefill'],
      ['thread_name', 2, 'decode'],
    ]);
    const complete = events.filter(({ ph }) => ph === 'X');
    expect(complete.length + names.length).toBe(events.length);
    for (const { name, cat, ts, dur, pid, tid, args } of complete) {
      expect(name).not.toBe('');
      expect([cat, tid]).toEqual(tid === 1 ? ['prefill', 1] : ['decode', 2]);
      expect(pid).toBe(1);
      expect(ts).toBeGreaterThanOrEqual(0);
      expect(dur).toBeGreaterThanOrEqual(0);
      expect(args).toBeTypeOf('object');
    }
    const walks = complete.filter(({ args }) => 'tokens' in args);
    expect(walks.map(({ name, args }) => [name, args])).toEqual([
      ['tokens 0 to 19', { position: 0, tokens: 20 }],
      ['head', { position: 0, tokens: 20 }],
      ...[20, 21, 22].map((position) => [`token ${position}`, { position, tokens: 1 }]),
    ]);
    // Stages follow one another within their walk, to the nanosecond, and are as many as the sums tell.
    const report = JSON.parse(stdout);
    for (const phase of ['prefill', 'decode'] as const) {
      const calls = report[phase].roles.reduce((n: number, role: { calls: number }) => n + role.calls, 0);
      const own = complete.filter(({ cat, args }) => cat === phase && !('tokens' in args));
      expect(own).toHaveLength(calls);
      for (const { name, args } of own) {
        expect(roles).toContain(name);
        expect(args.label).toBeTypeOf('string');
        expect(args.bytes).toBeGreaterThanOrEqual(0);
        if (name.startsWith('attn')) expect(args.layer).toBeTypeOf('number');
        if (name === 'head') expect(args).not.toHaveProperty('layer');
      }
    }
    let [end, at] = [0, 0];
    for (const { args, ts, dur } of complete) {
      if ('tokens' in args) {
        expect(ts).toBeGreaterThanOrEqual(at - 1e-3);
        end = ts + dur;
        at = ts;
      } else {
        expect(ts).toBeCloseTo(at, 3);
        at = ts + dur;
        expect(at).toBeLessThanOrEqual(end + 1e-6);
      }
    }
  });

  it('leaves no trace when it fails', async () => {
    const path = join(folder, 'never.json');
    const { code, stderr } = await runCli([...quick, '-m', join(folder, 'nowhere.gguf'), '--trace', path]);
    expect(code).toBe(1);
    expect(stderr).toContain('nowhere.gguf does not exist');
    expect(readdirSync(folder).filter((name) => name !== 'trace.json')).toEqual([]);
    const lost = await runCli([...quick, '--trace', join(folder, 'no', 'trace.json')]);
    expect(lost).toMatchObject({ code: 1, stderr: expect.stringContaining('its folder does not exist') });
  });

  it('stops at Ctrl-C', async () => {
    const path = join(folder, 'stopped.json');
    const { code, stdout } = await runCli(['profile', '-p', '64', '-n', '4000', '-t', '1', '--trace', path], {
      stderrTty: true,
      onError: (text, interrupt) => {
        if (text.includes('measuring')) interrupt();
      },
    });
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(readdirSync(folder)).not.toContain('stopped.json');
  });

  it.each([
    [['--synthetic', 'tiny', '-m', 'x'], '--synthetic: got -m too, expected one of them'],
    [['--ctx', '100', '-p', '90', '-n', '11'], '--ctx: got 100, expected at least 101, the sum of -p and -n'],
    [['-p', '0'], '-p: got "0", expected an integer >= 1'],
  ])('%j is wrong usage', async (args, text) => {
    const { code, stderr } = await runCli(['profile', ...args]);
    expect(code).toBe(2);
    expect(stderr.startsWith(`ternlight profile: ${text}`)).toBe(true);
  });
});
