// ternlight models: the list, filtered, as a table and as JSON.
import { describe, expect, it } from 'vitest';
import { knownModels } from '../../src/hub/known-models.ts';
import { runCli } from './harness.ts';

describe('models', () => {
  it('are a table', async () => {
    const { code, stdout, stderr } = await runCli(['models']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    const lines = stdout.trimEnd().split('\n');
    expect(lines).toHaveLength(knownModels.length + 1);
    expect(lines[0]).toMatch(/^model +parameters +encoding +file +memory +context +licence$/);
    expect(lines[1]).toMatch(/^hf:microsoft\/bitnet-b1\.58-2B-4T-gguf +2\.41 G +I2_S +1\.19 GB +1\.01 GB +4096 +MIT$/);
    expect(stdout).toMatch(/^hf:gianni-cor\/bitnet_b1_58-large-TQ2_0\/FILE /m);
    for (const line of lines) expect(line.length).toBeLessThanOrEqual(120);
  });

  it('are filtered by name, encoding and licence, and then tell what to know', async () => {
    const { stdout } = await runCli(['models', 'q1_0']);
    expect(stdout.match(/^hf:/gm)).toHaveLength(3);
    expect(stdout).toContain('\nBonsai 8B\n  file Bonsai-8B-Q1_0.gguf\n  chat form: chatml\n  weight-only: ');
    expect((await runCli(['models', 'apache'])).stdout).toContain('TriLM 3.9B\n  a base model: it continues texts\n');
    expect((await runCli(['models', 'FALCON3 7b'])).stdout.match(/^hf:/gm)).toHaveLength(2);
  });

  it('are JSON', async () => {
    const { stdout } = await runCli(['models', '2B-4T-gguf', '--json']);
    expect(JSON.parse(stdout)).toEqual([
      {
        ...{ name: 'BitNet b1.58 2B-4T', hub: 'microsoft/bitnet-b1.58-2B-4T-gguf', file: 'ggml-model-i2_s.gguf' },
        ...{ source: 'hf:microsoft/bitnet-b1.58-2B-4T-gguf', bytes: 1187801280, bytesAreExact: true },
        sha256: '4221b252fdd5fd25e15847adfeb5ee88886506ba50b8a34548374492884c2162',
        ...{ parameters: 2412820480, architecture: 'bitnet-b1.58', encoding: 'I2_S', licence: 'MIT' },
        ...{ contextLength: 4096, chat: 'bitnet', notes: expect.any(Array) },
        memory: { weightsBytes: expect.any(Number), cacheBytes: 157286400, totalBytes: expect.any(Number) },
      },
    ]);
  });

  it('that nobody knows are wrong usage', async () => {
    expect(await runCli(['models', 'gpt-7'])).toEqual({
      ...{ code: 2, stdout: '' },
      stderr:
        'ternlight models: FILTER: got "gpt-7", which no model matches; without it all are listed\nTry: ternlight help models\n',
    });
  });
});
