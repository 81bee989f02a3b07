import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { load, syntheticNames } from '../../src/index.ts';
import { runCli } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'ternlight-cli-'));
const model = await load(undefined, { threads: 1 });
const prompt = 'Once upon a time';
const greedy = ['-t', '1', '--temp', '0', '-n', '12'];

afterAll(async () => {
  await model.dispose();
  rmSync(folder, { recursive: true });
});

describe('run', () => {
  it('prints the prompt and the continuation, --json the continuation only', async () => {
    const expected = await model.generate(prompt, { temperature: 0, maxTokens: 12 }).summary();
    const { text, ids, promptTokens } = expected;
    expect(await runCli(['run', prompt, ...greedy])).toEqual({ code: 0, stdout: `${prompt}${text}\n`, stderr: '' });
    const { code, stdout } = await runCli(['run', '--json', ...greedy], { stdin: `${prompt}\n` });
    expect(code).toBe(0);
    const json = JSON.parse(stdout);
    expect(json).toEqual({ text, ids, promptTokens, stop: 'length', timings: expect.anything() });
    expect(Object.keys(json.timings)).toEqual([
      ...['loadMs', 'prefillMs', 'decodeMs', 'prefillTokensPerSecond', 'decodeTokensPerSecond'],
    ]);
    for (const value of Object.values(json.timings)) expect(value).toBeGreaterThan(0);
  });

  it('takes "-" for standard input, and leaves out one line end', async () => {
    const { stdout } = await runCli(['run', '-', ...greedy], { stdin: `${prompt}\n\n` });
    expect(stdout.startsWith(`${prompt}\n`)).toBe(true);
    expect((await runCli(['run', '-', ...greedy], { stdin: prompt })).stdout).toBe(
      (await runCli(['run', prompt, ...greedy])).stdout,
    );
  });

  it('passes on sampling options', async () => {
    const options = { temperature: 1.2, topK: 50, topP: 0.9, minP: 0.01, seed: 7, repetitionPenalty: 1.1 };
    const others = { presencePenalty: -0.1, frequencyPenalty: 0.2, maxTokens: 20 };
    const { ids } = await model.generate(prompt, { ...options, ...others }).summary();
    const args = '--temp 1.2 --top-k 50 --top-p .9 --min-p 0.01 --seed 7 --repeat-penalty 1.1'.split(' ');
    const more = '--presence-penalty -0.1 --frequency-penalty 0.2 -n 20 -t 1 --json'.split(' ');
    expect(JSON.parse((await runCli(['run', prompt, ...args, ...more])).stdout).ids).toEqual(ids);
  });

  it('stops before any of the stop texts', async () => {
    const { stdout } = await runCli(['run', prompt, ...greedy, '--json', '--stop', 'zebra', '--stop', ' little']);
    expect(JSON.parse(stdout)).toMatchObject({ stop: 'stop', text: expect.not.stringContaining('little') });
  });

  it('prints what there is when Ctrl-C stops it', async () => {
    let pressed = false;
    const { code, stdout } = await runCli(['run', prompt, '-t', '1', '--seed', '1'], {
      onOutput: (text, interrupt) => {
        if (pressed || text.length < prompt.length + 10) return;
        pressed = true;
        interrupt();
      },
    });
    expect(code).toBe(130);
    expect(stdout.endsWith('\n')).toBe(true);
    expect(stdout.length).toBeGreaterThan(prompt.length + 10);
  });

  it('--json says that Ctrl-C stopped it', async () => {
    const endless = ['run', prompt, '-m', 'synthetic:tiny', '-c', '100000', '-t', '1', '--seed', '1', '--json'];
    const { code, stdout } = await runCli(endless, {
      stderrTty: true,
      // The bar is cleared when the model is loaded.
      onError: (text, interrupt) => {
        if (text.endsWith('\r\x1b[K')) setTimeout(interrupt, 100);
      },
    });
    expect(code).toBe(130);
    const { stop, ids } = JSON.parse(stdout);
    expect(stop).toBe('aborted');
    expect(ids.length).toBeGreaterThan(0);
  });

  it('ends with its speed on a terminal, loading with a bar', async () => {
    const around = { stderrTty: true, env: {} };
    const readable = async () => (await runCli(['run', prompt, ...greedy], around)).stderr.replaceAll('\x1b', 'ESC');
    const colours = await readable();
    expect(colours).toMatch(/^\rESC\[Kloading \[[#.]{24}\] \d+% of 3\.\d\d MB/);
    const rates = 'prompt 5 tokens, [\\d.]+ tok/s; answer 12 tokens, [\\d.]+ tok/s; length; seed \\d+';
    expect(colours).toMatch(new RegExp(`\\rESC\\[KESC\\[2m${rates}ESC\\[22m\\n$`));
    around.env = { NO_COLOR: '1' };
    expect(await readable()).toMatch(new RegExp(`\\rESC\\[K${rates}\\n$`));
  });
});

describe('logits', () => {
  const ids = [5, 4, 3, 2, 1, 0];

  it('are those of the model, all of them in the file', async () => {
    const out = join(folder, 'logits.f32');
    const args = ['logits', '--ids', ids.join(), '-t', '1', '--json', '--top', '3', '--out', out];
    const { code, stdout } = await runCli(args);
    expect(code).toBe(0);
    const rows: Float32Array[] = [];
    for await (const row of model.logits(ids)) rows.push(row);
    const bytes = readFileSync(out);
    const written = new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length));
    expect(written).toEqual(Float32Array.from(rows.flatMap((row) => [...row])));
    const top = rows.map((row) => [...row.entries()].sort(([i, a], [j, b]) => b - a || i - j).slice(0, 3));
    expect(JSON.parse(stdout)).toEqual({ vocab: model.info.vocabSize, positions: top });
  });

  it('are a table without --json', async () => {
    const { stdout } = await runCli(['logits', '--ids', '5,4', '-t', '1', '--top', '2']);
    expect(stdout).toMatch(/^position +id +#1 +#2\n +0 +5 +\d+: -?[\d.]+ +\d+: -?[\d.]+\n +1 +4 /);
  });

  it('refuse ids that are none', async () => {
    expect(await runCli(['logits', '--ids', `${model.info.vocabSize}`, '-t', '1'])).toMatchObject({
      code: 2,
      stdout: '',
    });
  });
});

describe('perplexity', () => {
  it('is that of the model', async () => {
    const text = `${prompt}, there was a little girl named Lily. She loved to play with her toys. `.repeat(10);
    const file = join(folder, 'text.txt');
    writeFileSync(file, text);
    const expected = await model.perplexity(text, { contextLength: 64 });
    const { nll, ppl, tokens } = expected;
    const args = ['perplexity', '--ctx', '64', '-t', '1'];
    expect(JSON.parse((await runCli([...args, '--json', '-f', file])).stdout)).toEqual({ nll, ppl, tokens });
    expect((await runCli([...args, '-f', '-'], { stdin: text })).stdout).toBe(
      `perplexity ${ppl.toFixed(4)} (nll ${nll.toFixed(5)} over ${tokens} tokens, context 64)\n`,
    );
  });
});

describe('inspect', () => {
  it('tells what the file holds and needs', async () => {
    const json = JSON.parse((await runCli(['inspect', '--json', '--ctx', '256'])).stdout);
    expect(json).toMatchObject({ name: model.info.name, parameters: model.info.parameters, head: model.info.head });
    expect(json.memory.kvBytesPerSession).toBe(model.info.memory.kvBytesPerSession / 2);
    const { stdout } = await runCli(['inspect']);
    expect(stdout).toMatch(/^parameters +10\.9 M, 9\.83 M of them ternary$/m);
    expect(stdout).toMatch(/^memory +[\d.]+ MB with one session$/m);
    for (const [key] of json.metadata) expect(stdout).toContain(`  ${key} `);
    for (const { name } of json.tensors) expect(stdout).toContain(`  ${name} `);
  });
});

describe('bench', () => {
  const quick = ['-p', '16', '-n', '4', '-r', '3'];

  it('measures each number of threads', async () => {
    const { code, stdout } = await runCli(['bench', ...quick, '-t', '1,2', '--json']);
    expect(code).toBe(0);
    const results = JSON.parse(stdout);
    expect(results.map(({ threads }: { threads: number }) => threads)).toEqual([1, 2]);
    const { name, runtime, kernels, kv, head } = model.info;
    for (const { prefill, decode, residentMB, loadMs, ...rest } of results) {
      for (const { median, min, max } of [prefill, decode]) {
        expect(min).toBeGreaterThan(0);
        expect(median).toBeGreaterThanOrEqual(min);
        expect(max).toBeGreaterThanOrEqual(median);
      }
      expect(residentMB).toBeGreaterThan(10);
      expect(loadMs).toBeGreaterThan(0);
      expect(rest).toMatchObject({ model: name, runtime, build: expect.any(String), kernels, kv, head });
    }
  });

  it('has a table with ratios, and a model of random weights', async () => {
    expect(syntheticNames).toContain('tiny');
    const { code, stdout } = await runCli(['bench', ...quick, '-t', '1,2', '--synthetic', 'tiny']);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^synthetic.*parameters; .*\nthreads .*prefill tok\/s .*ratio .*resident MB\n +1 .*x1\.00/);
    expect(stdout.trim().split('\n')).toHaveLength(4);
  });
});
