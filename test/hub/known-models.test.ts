// The list against published figures, against the runtime's own memory plan, and against the page made of it.
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { architectureIds } from '../../src/arch/index.ts';
import { parseHubName } from '../../src/hub/hub-name.ts';
import { type KnownModel, knownModel, knownModels } from '../../src/hub/known-models.ts';
import { countsOf, fileBytesOf, memoryOf, parametersOf } from '../../src/hub/shapes.ts';
import { inspect } from '../../src/index.ts';
import { modelsPage } from './models-page.ts';

const named = (name: string) => knownModels.find((model) => model.name === name)!;

it('is well formed', () => {
  expect(new Set(knownModels.map(({ name }) => name)).size).toBe(knownModels.length);
  expect(new Set(knownModels.map(({ hub }) => hub.toLowerCase())).size).toBe(knownModels.length);
  for (const model of knownModels) {
    const file = model.file === undefined || model.file === 'ask' ? '' : `/${model.file}`;
    expect(parseHubName(`hf:${model.hub}${file}`).repo).toBe(model.hub.split('/')[1]);
    expect(knownModel(model.hub.toUpperCase())).toBe(model);
    expect(architectureIds).toContain(model.architecture);
  }
});

describe('parameters', () => {
  it.each([
    ['BitNet b1.58 2B-4T', 2_084_044_800, 328_335_360],
    ['bitnet_b1_58-large', 679_477_248, 49_155_072],
    ['bitnet_b1_58-3B', 3_221_504_000, 102_406_400],
    ['Falcon-E 3B Instruct', 2_919_235_584, 134_217_728],
    ['Falcon-E 1B Base', 1_585_446_912, 134_217_728],
    ['Bonsai 1.7B', 1_409_286_144, 310_618_112],
    ['Bonsai 4B', 3_633_315_840, 388_272_640],
    ['Bonsai 8B', 6_945_767_424, 1_242_472_448],
  ])('of %s are those published', (name, low, embedding) => {
    expect(countsOf(named(name).shape)).toMatchObject({ low, embedding });
  });

  it('come to what Hugging Face counts in packed repositories', () => {
    // Four ternary weights are one parameter there, and each linear has a scale.
    const counted = (name: string) => {
      const { low, matrices, embedding, vectors } = countsOf(named(name).shape);
      return low / 4 + matrices + embedding + vectors;
    };
    expect(counted('Falcon3 7B Instruct 1.58bit')).toBe(2_468_048_068);
    const inMillions = (name: string) => Math.round(counted(name) / 1e6);
    expect(inMillions('BitNet b1.58 2B-4T')).toBe(850);
    expect(inMillions('Falcon-E 3B Instruct')).toBe(864);
    expect(inMillions('Falcon3 10B Instruct 1.58bit')).toBe(3181);
    expect(parametersOf(named('BitNet b1.58 2B-4T').shape)).toBe(2_412_820_480);
    expect(Math.round(parametersOf(named('TriLM 3.9B').shape) / 1e6)).toBe(3992);
    expect(Math.round(parametersOf(named('bitnet_b1_58-large').shape) / 1e6)).toBe(729);
  });
});

describe('sizes of files', () => {
  it.each(knownModels.map((model) => [model.name, model] as const))(
    '%s',
    (_, { shape, storage, bytes, bytesAreExact }) => {
      const header = bytes - fileBytesOf(shape, storage);
      // A vocabulary has 1 to 9 MB; rounded figures are within half a percent, or half of what they are rounded to.
      if (bytesAreExact) {
        expect(header).toBeGreaterThan(1e6);
        expect(header).toBeLessThan(9e6);
      } else expect(Math.abs(header) / bytes).toBeLessThan(0.025);
    },
  );

  it('leave the same header to all Bonsai files, whose vocabulary is one', () => {
    const headers = ['1.7B', '4B', '8B'].map((size) => {
      const { shape, storage, bytes } = named(`Bonsai ${size}`);
      return bytes - fileBytesOf(shape, storage);
    });
    expect(Math.max(...headers) - Math.min(...headers)).toBeLessThan(20_000);
  });
});

describe('memory', () => {
  it.each([
    ['BitNet b1.58 2B-4T', 'synthetic:bitnet-2b-4t'],
    ['bitnet_b1_58-large', 'synthetic:bitnet-0.7b'],
    ['bitnet_b1_58-3B', 'synthetic:bitnet-3b'],
    ['Llama3 8B 1.58 100B tokens', 'synthetic:llama3-8b-1.58'],
    ['Falcon3 7B Instruct 1.58bit', 'synthetic:falcon3-7b-1.58'],
    ['Falcon3 10B Instruct 1.58bit', 'synthetic:falcon3-10b-1.58'],
  ])('of %s is what the runtime plans', async (name, source) => {
    const { memory } = await inspect(source, { contextLength: 2048 });
    const { shape, storage } = named(name);
    const { weightsBytes, cacheBytes, totalBytes } = memoryOf(shape, storage);
    expect(weightsBytes / memory!.weightsBytes).toBeCloseTo(1, 2);
    expect(cacheBytes).toBe(memory!.kvBytesPerSession);
    expect(totalBytes).toBe(weightsBytes + cacheBytes);
  });

  it('of a recurrent model does not grow', () => {
    const { shape, storage } = named('BitMamba-2 1B');
    expect(memoryOf(shape, storage, 1e6)).toEqual(memoryOf(shape, storage, 1));
  });

  it('of a model that is held in one bit is less than in two', () => {
    const total = ({ shape, storage }: KnownModel) => memoryOf(shape, storage).weightsBytes;
    expect(total(named('Bonsai 8B')) / total(named('Ternary Bonsai 8B'))).toBeCloseTo(0.5, 1);
  });
});

it('is what docs/MODELS.md shows', async () => {
  await expect(modelsPage()).toMatchFileSnapshot(fileURLToPath(new URL('../../docs/MODELS.md', import.meta.url)));
});
