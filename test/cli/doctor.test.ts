import { describe, expect, it } from 'vitest';
import { examine } from '../../src/environment.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import { Trial, trialPages } from '../../src/runtime/trial.ts';
import { instantiate } from '../kernels/variants.ts';
import { runCli } from './harness.ts';

describe('ternlight doctor', () => {
  it('says what runs, and how fast', async () => {
    const { code, stdout } = await runCli(['doctor']);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^runtime +\S+ [\d.]+, \d+ cores\nruns with +build (simd|relaxed), kernel \w+, \d+ threads\n/,
    );
    expect(stdout).toMatch(/\none thread: [\d.]+ [GM] weights\/s, memory [\d.]+ GB\/s\n/);
    for (const name of ['bitnet_b1_58-large', 'BitNet b1.58 2B-4T', 'Falcon3 7B'])
      expect(stdout).toMatch(new RegExp(`\n${name}.* [\\d.]+\n`));
  });

  it('gives the same to machines', async () => {
    const { code, stdout } = await runCli(['doctor', '--json']);
    expect(code).toBe(0);
    const { runtime, speed, findings } = JSON.parse(stdout);
    expect(runtime).toBe(nodePlatform().runtime);
    expect(speed.weightsPerSecond).toBeGreaterThan(1e8);
    expect(speed.bytesPerSecond).toBeGreaterThan(1e8);
    expect(findings.length).toBeGreaterThanOrEqual(4);
  });
});

describe('examine', () => {
  const platform = nodePlatform();

  it('finds that no worker starts, and says what it takes', async () => {
    const { findings, speed } = await examine(
      {
        ...platform,
        spawn: () => {
          throw new Error('blocked');
        },
      },
      { measure: false },
    );
    expect(speed).toBeUndefined();
    expect(findings.find(({ what }) => what === 'workers')).toEqual({
      what: 'workers',
      ok: false,
      detail: 'blocked; the engine runs in the thread that loads it',
    });
  });

  it('finds that there is no WebAssembly', async () => {
    const { WebAssembly: real } = globalThis;
    try {
      Object.defineProperty(globalThis, 'WebAssembly', { value: undefined, configurable: true, writable: true });
      const { build, findings } = await examine(platform);
      expect(build).toBeUndefined();
      expect(findings[0]).toMatchObject({ what: 'WebAssembly SIMD', ok: false });
    } finally {
      Object.defineProperty(globalThis, 'WebAssembly', { value: real, configurable: true, writable: true });
    }
  });
});

describe('a trial', () => {
  it('is right with kernels that are, and wrong before they ran', () => {
    const { kernels, memory } = instantiate('simd', trialPages(96, 64));
    const trial = new Trial(kernels, memory, 96, 64);
    expect(trial.isRight()).toBe(false);
    trial.run('matmulTernaryWide');
    expect(trial.isRight()).toBe(true);
  });
});
