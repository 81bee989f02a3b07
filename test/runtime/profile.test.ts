import { fileURLToPath } from 'node:url';
import { afterEach, describe, expect, it, vi } from 'vitest';
import { EngineSession } from '../../src/generate/session.ts';
import { packagedModel } from '../../src/index.ts';
import { loadModel } from '../../src/load.ts';
import { openModel } from '../../src/open.ts';
import { PLAN_DECODE, PLAN_HEAD, PLAN_PREFILL } from '../../src/plan/plan.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import { Engine, type TimedWalk } from '../../src/runtime/engine.ts';
import { type Phase, profileEngine } from '../../src/runtime/profile.ts';
import { weightBytes } from '../../src/runtime/profile-bytes.ts';
import { measureRead } from '../../src/runtime/profile-read.ts';
import { layersOf, roleOf } from '../../src/runtime/profile-roles.ts';
import { chooseVariant } from '../../src/runtime/variant.ts';
import { type LoadOptions, understand } from '../../src/understand.ts';
import { hasTruth, truthPath } from '../truth.ts';

const platform = nodePlatform();
const golden = (name: string) => fileURLToPath(new URL(`../golden/models/${name}`, import.meta.url));
const opened: Engine[] = [];

afterEach(() => {
  vi.restoreAllMocks();
  for (const engine of opened.splice(0)) engine.dispose();
});

/** As loadModel makes it, without what is around it. */
async function engineOf(source: string | URL, threads = 1, options: LoadOptions = {}): Promise<Engine> {
  const model = await openModel(source, platform, options);
  const { options: sizes, ...understood } = understand(model.file, { contextLength: 256, ...options });
  const variant = await chooseVariant(threads > 1);
  const engine = await Engine.create({ ...understood, ...sizes, platform, file: model.file, variant, threads });
  await model.close();
  opened.push(engine);
  return engine;
}

/** A session that keeps the logits it gave. */
function recorded(engine: Engine) {
  const session = new EngineSession(engine);
  const rows: { ids: number[]; bits: Uint32Array }[] = [];
  return {
    rows,
    truncate: (length: number) => session.truncate(length),
    feed: async (ids: readonly number[], signal?: AbortSignal) => {
      const logits = await session.feed(ids, signal);
      rows.push({ ids: [...ids], bits: new Uint32Array(logits.slice().buffer) });
      return logits;
    },
  };
}

const models: [name: string, source: string | URL, options: LoadOptions][] = [
  ['bitnet', packagedModel, {}],
  ['bitnet, head int8, kv f32', packagedModel, { head: 'int8', kv: 'f32' }],
  ['bitnet, float', packagedModel, { activations: 'float' }],
  ['llama', golden('tiny-llama-i2s.gguf'), {}],
  ['qwen3', golden('tiny-qwen3-q1_0-yarn.gguf'), {}],
];
const bitmamba = 'truth/bitmamba/bm384.bin';
if (hasTruth(bitmamba, 'profile of BitMamba')) models.push(['bitmamba', truthPath(bitmamba), {}]);

describe('roles', () => {
  it('are read from labels', () => {
    const roles = {
      'blk.0.attn_q': 'attn_q+k+v',
      'blk.17.attn': 'attn',
      'blk.17.attn_output': 'attn_output',
      'blk.3.kv': 'rope+cache',
      rope: 'rope+cache',
      'head norm': 'rope+cache',
      'blk.3.ffn_gate': 'ffn_gate+up',
      ffn_gate: 'norms/quantise',
      'blk.3.ffn_down': 'ffn_down',
      norm: 'norms/quantise',
      quantize: 'norms/quantise',
      tiles: 'norms/quantise',
      result_norm: 'norms/quantise',
      result_output: 'head',
      embd: 'embd',
      'rope angles': 'embd',
      'blk.3.ssm': 'ssm',
      'blk.3.ssm_in': 'ssm_in',
      'blk.3.ssm_out': 'ssm_out',
      constructor: 'other',
      'blk.3.constructor': 'other',
      'blk.3.new': 'other',
    };
    for (const [label, role] of Object.entries(roles)) expect(roleOf(label), label).toBe(role);
  });

  it.each(models)('are known for every stage of %s', async (_, source, options) => {
    const { plans } = await engineOf(source, 1, options);
    for (const plan of plans)
      expect(plan.map(({ label }) => label).filter((label) => roleOf(label) === 'other')).toEqual([]);
  });

  it('have the layer of the matrix that follows', () => {
    const labels = [
      'rope angles',
      'tiles',
      'blk.0.attn_q',
      'rope',
      'blk.0.attn',
      'norm',
      'blk.1.attn_q',
      'result_norm',
    ];
    const plan = labels.map((label) => ({ label, perToken: false, steps: [] }));
    expect(layersOf(plan)).toEqual([undefined, 0, 0, 0, 0, 1, 1, undefined]);
  });
});

describe('bytes', () => {
  it.each(models)(
    'of a decode step are all weights but the embedding, and the cache (%s)',
    async (_, source, options) => {
      const engine = await engineOf(source, 1, options);
      const { prefill, decode } = await profileEngine(engine, new EngineSession(engine), {
        promptTokens: 20,
        tokens: 3,
      });
      const { config, weights } = engine;
      const tied = !weights.has('output.weight');
      const all = [...weights.values()].filter(
        ({ name }) => name !== 'token_embd.weight' && name !== 'rope_freqs.weight',
      );
      const table = weights.get('token_embd.weight')!;
      const fixed = all.reduce((n, w) => n + weightBytes(w), tied ? weightBytes(table) : 0);
      const positionBytes = 2 * config.nLayers * config.nKvHeads * config.headDim * (options.kv === 'f32' ? 4 : 2);
      const state = 16 * config.hiddenDim * config.nLayers;
      for (const [i, { stages }] of decode.walks.entries()) {
        const total = stages.reduce((n, stage) => n + stage.bytes, 0);
        const rest = total - fixed - (config.recurrent ? state : positionBytes * (20 + i + 1));
        // What is left is a row of the embedding.
        expect(rest).toBeGreaterThanOrEqual(config.dim / 8);
        expect(rest).toBeLessThanOrEqual(4 * config.dim);
      }
      // A chunk reads each matrix once, however many tokens it has.
      expect(prefill.bytes).toBeLessThanOrEqual(
        fixed + (config.recurrent ? state : 20 * positionBytes) + 20 * 4 * config.dim,
      );
      expect(prefill.bytes).toBeGreaterThan(fixed);
    },
  );

  it.each(models)('of the weights are those in memory (%s)', async (_, source, options) => {
    const { weights, weightsBytes } = await engineOf(source, 1, options);
    const sum = [...weights.values()].reduce((n, w) => n + weightBytes(w), 0);
    // Weights and scales begin at multiples of 64.
    expect(weightsBytes).toBeGreaterThanOrEqual(sum);
    expect(weightsBytes - sum).toBeLessThan(128 * weights.size);
  });
});

describe('a profile', () => {
  it.each([1, 3])('has every stage, in time and within the whole (%i threads)', async (threads) => {
    const engine = await engineOf(packagedModel, threads, { chunkTokens: 32 });
    const onProgress = vi.fn();
    const session = new EngineSession(engine);
    const { prefill, decode, read } = await profileEngine(engine, session, { promptTokens: 80, tokens: 5, onProgress });
    expect(prefill.walks.map(({ name, position, tokens }) => [name, position, tokens])).toEqual([
      ...[
        ['tokens 0 to 31', 0, 32],
        ['tokens 32 to 63', 32, 32],
        ['tokens 64 to 79', 64, 16],
      ],
      ['head', 64, 16],
    ]);
    expect(decode.walks.map(({ name }) => name)).toEqual([80, 81, 82, 83, 84].map((at) => `token ${at}`));
    const plans = [PLAN_PREFILL, PLAN_PREFILL, PLAN_PREFILL, PLAN_HEAD].map((plan) => engine.plans[plan]!);
    for (const [i, plan] of plans.entries()) expectStages(prefill, i, plan);
    for (const i of decode.walks.keys()) expectStages(decode, i, engine.plans[PLAN_DECODE]!);
    for (const phase of [prefill, decode]) {
      const stages = phase.walks.flatMap((walk) => walk.stages);
      expect(phase.roles.reduce((n, { calls }) => n + calls, 0)).toBe(stages.length);
      for (const part of ['ms', 'waitMs', 'bytes'] as const) {
        const sum = stages.reduce((n, stage) => n + stage[part], 0);
        expect(phase.roles.reduce((n, role) => n + role[part], 0)).toBeCloseTo(sum, 6);
        if (part === 'ms') expect(sum).toBeLessThanOrEqual(phase.ms);
        if (part === 'bytes') expect(phase.bytes).toBeCloseTo(sum, 6);
      }
    }
    expect(prefill.tokens).toBe(80);
    expect(decode.tokens).toBe(5);
    expect(read.bytesPerSecond).toBeGreaterThan(0);
    const total = onProgress.mock.calls.length;
    expect(onProgress.mock.calls.map(([done, of]) => [done, of])).toEqual(
      Array.from({ length: total }, (_, i) => [i + 1, total]),
    );
  });

  function expectStages({ ms, walks }: Phase, index: number, plan: readonly { label: string }[]): void {
    const { stages } = walks[index]!;
    expect(stages.map(({ label }) => label)).toEqual(plan.map(({ label }) => label));
    let end = index === 0 ? 0 : walks[index - 1]!.stages.at(-1)!.startMs;
    for (const [i, stage] of stages.entries()) {
      expect(stage.startMs).toBeGreaterThanOrEqual(end - 1e-9);
      if (i > 0) expect(stage.startMs).toBeCloseTo(end, 6);
      expect(stage.waitMs).toBeGreaterThanOrEqual(0);
      expect(stage.ms).toBeGreaterThanOrEqual(stage.waitMs);
      end = stage.startMs + stage.ms;
    }
    expect(end).toBeLessThanOrEqual(ms + 1e-6);
  }

  it.each([1, 3])('gives the bits of a run that nobody times (%i threads)', async (threads) => {
    const engine = await engineOf(packagedModel, threads);
    const observed = recorded(engine);
    await profileEngine(engine, observed, { promptTokens: 40, tokens: 10 });
    // Fed before without the clock, and once with it: the prompt, eight tokens; the prompt, ten tokens.
    expect(observed.rows.map(({ ids }) => ids.length)).toEqual([40, ...Array(8).fill(1), 40, ...Array(10).fill(1)]);
    const plain = recorded(await engineOf(packagedModel, threads));
    for (const { ids } of observed.rows.slice(9)) await plain.feed(ids);
    expect(plain.rows).toEqual(observed.rows.slice(9));
    expect(observed.rows.slice(0, 9)).toEqual(observed.rows.slice(9, 18));
  });

  it('asks the clock only while it is made', async () => {
    const engine = await engineOf(packagedModel);
    const cache = engine.openCache();
    const walks: TimedWalk[] = [];
    const now = vi.spyOn(performance, 'now');
    engine.decode(cache, 0, 5);
    expect(now).not.toHaveBeenCalled();
    engine.observe((walk) => walks.push(walk));
    engine.decode(cache, 1, 6);
    const stamps = 1 + 2 * engine.plans[PLAN_DECODE]!.length;
    expect(now).toHaveBeenCalledTimes(stamps);
    expect(walks).toEqual([{ plan: PLAN_DECODE, position: 1, tokens: 1, times: expect.any(Float64Array) }]);
    expect(walks[0]!.times).toHaveLength(stamps);
    expect(() => engine.observe(() => {})).toThrow(/a profile is being made/);
    engine.observe(undefined);
    now.mockClear();
    engine.decode(cache, 2, 7);
    expect(now).not.toHaveBeenCalled();
  });

  it('leaves nothing behind when it is stopped', async () => {
    const engine = await engineOf(packagedModel);
    const controller = new AbortController();
    const session = new EngineSession(engine);
    const onProgress = (done: number) => {
      if (done === 6) controller.abort(); // the prompt that is timed
    };
    const { signal } = controller;
    const stopped = profileEngine(engine, session, { promptTokens: 8, tokens: 4, signal, onProgress });
    await expect(stopped).rejects.toThrow();
    engine.observe(() => {});
    engine.observe(undefined);
  });

  it('refuses what does not fit', async () => {
    const engine = await engineOf(packagedModel, 1, { contextLength: 32 });
    const run = (promptTokens: number, tokens: number) =>
      profileEngine(engine, new EngineSession(engine), { promptTokens, tokens });
    await expect(run(0, 1)).rejects.toThrow(/promptTokens is 0, expected an integer from 1 to 32/);
    await expect(run(1, 1.5)).rejects.toThrow(/tokens is 1.5/);
    await expect(run(30, 3)).rejects.toMatchObject({ code: 'context-full' });
  });

  it('can be had of a loaded model', async () => {
    const model = await loadModel(packagedModel, { threads: 1, sessions: 1 }, platform);
    const { decode } = await model.profile({ promptTokens: 4, tokens: 2 });
    expect(decode.walks).toHaveLength(2);
    // Its session is closed: the only one is free again.
    await (await model.session()).dispose();
    await model.dispose();
    await expect(model.profile({ promptTokens: 4, tokens: 2 })).rejects.toMatchObject({ code: 'disposed' });
  });
});

describe('the speed of reading', () => {
  it.each([1, 2, 4])('is measured with %i threads', async (threads) => {
    const rate = await measureRead(platform, threads, 2 ** 22);
    expect(rate).toMatchObject({ regionBytes: 2 ** 22 });
    expect(rate.passes).toBeGreaterThanOrEqual(4);
    expect(rate.bytesPerSecond).toBeGreaterThan(0);
    expect(Number.isFinite(rate.bytesPerSecond)).toBe(true);
  });

  it('is refused where there is no memory for it', async () => {
    await expect(measureRead(platform, 1, 2 ** 33)).rejects.toMatchObject({ code: 'environment' });
  });
});
