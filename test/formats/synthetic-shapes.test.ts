// Synthetic models against what is published or reported of the real ones: model cards, load logs, sizes of files.

import { expect, test } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import { type SyntheticName, syntheticNames } from '../../src/formats/synthetic-names.ts';
import type { TensorInfo } from '../../src/formats/types.ts';
import { understand } from '../../src/understand.ts';

interface Published {
  /** What the model was trained with. */
  readonly activations: 'int8' | 'float';
  readonly ropeScaling?: object;
  /** Ternary or 1-bit weights of the layers, and weights of embedding and head. */
  readonly weights?: number;
  readonly embedding?: number;
  /** All, exactly; or about, as names have it. */
  readonly parameters?: number;
  readonly millions?: number;
  readonly tensors?: number;
  /** What Hugging Face counts where four weights are one number. */
  readonly packed?: number;
  /** Of the tensors, without the header, in as many digits as are known. */
  readonly dataMB?: string;
  /** Of the model in BitMamba's own format. */
  readonly binBytes?: number;
}

const int8 = { activations: 'int8' } as const;
const float = { activations: 'float' } as const;
const yarn = (originalContextLength: number) => ({ type: 'yarn', factor: 4, originalContextLength });
const bonsai1b = { ...float, weights: 1_409_286_144, embedding: 310_618_112, tensors: 310, ropeScaling: yarn(8192) };
const bonsai4b = { ...float, weights: 3_633_315_840, embedding: 388_272_640 };
const bonsai8b = { ...float, weights: 6_945_767_424, embedding: 1_242_472_448, ropeScaling: yarn(16384) };

const published: Record<SyntheticName, Published> = {
  tiny: { ...int8, millions: 1.317 },
  'bitnet-2b-4t': {
    ...{ ...int8, weights: 2_084_044_800, embedding: 328_335_360, parameters: 2_412_820_480, tensors: 332 },
    dataMB: '1179.44992',
  },
  'bitnet-0.7b': { ...int8, weights: 679_477_248, embedding: 49_155_072, tensors: 266, dataMB: '269.0' },
  'bitnet-3b': { ...int8, weights: 3_221_504_000, embedding: 102_406_400, tensors: 288 },
  'llama3-8b-1.58': { ...int8, parameters: 8_030_261_248, tensors: 291 },
  'falcon3-1b-1.58': { ...int8, millions: 1669 },
  'falcon3-3b-1.58': { ...int8, millions: 3228 },
  'falcon3-7b-1.58': { ...int8, millions: 7456, packed: 2_468_048_068 },
  'falcon3-10b-1.58': { ...int8, millions: 10306 },
  'falcon-e-1b': { ...int8, weights: 1_585_446_912, embedding: 134_217_728, dataMB: '665.2' },
  'falcon-e-3b': { ...int8, weights: 2_919_235_584, embedding: 134_217_728, dataMB: '998.8' },
  'trilm-99m': { ...float, millions: 99 },
  'trilm-190m': { ...float, millions: 190 },
  'trilm-390m': { ...float, millions: 390 },
  'trilm-560m': { ...float, millions: 560 },
  'trilm-830m': { ...float, millions: 830 },
  'trilm-1.1b': { ...float, millions: 1100 },
  'trilm-1.5b': { ...float, millions: 1500 },
  'trilm-2.4b': { ...float, millions: 2400 },
  'trilm-3.9b': { ...float, millions: 3992, tensors: 273 },
  'bonsai-1.7b': { ...bonsai1b, dataMB: '242.36' },
  'bonsai-4b': { ...bonsai4b, dataMB: '566.32' },
  'bonsai-8b': { ...bonsai8b, dataMB: '1152.70' },
  // Files of 490, 1138 and 2310 MB, less the header of 5.95 MB that all Bonsai have.
  'ternary-bonsai-1.7b': { ...bonsai1b, dataMB: '484' },
  'ternary-bonsai-4b': { ...bonsai4b, dataMB: '1132' },
  'ternary-bonsai-8b': { ...bonsai8b, dataMB: '2304' },
  'bitmamba2-255m': { ...int8, binBytes: 258_250_988 },
  'bitmamba2-1b': { ...int8, binBytes: 644_297_164 },
};

const product = (dims: readonly number[]) => dims.reduce((a, b) => a * b);

test.each(syntheticNames)('%s has the published shape', async (name) => {
  const file = await readGguf(syntheticModel(name));
  // Knows the tensors of each architecture and refuses others.
  const { config } = understand(file, {});
  const facts = published[name];
  expect(file.metadata.strings('tokenizer.ggml.tokens')!.length).toBe(config.vocabSize);
  expect(file.metadata.integer(`${config.architecture}.vocab_size`)).toBe(config.vocabSize);
  expect(config.activations).toBe(facts.activations);
  if (config.rope) expect(config.rope.scaling).toMatchObject(facts.ropeScaling ?? { type: 'none' });
  checkSizes(facts, file.tensors);
});

function checkSizes(facts: Published, tensors: readonly TensorInfo[]): void {
  const isLookedUp = ({ name }: TensorInfo) => name === 'token_embd.weight' || name === 'output.weight';
  const sum = (some: readonly TensorInfo[]) => some.reduce((n, { dims }) => n + product(dims), 0);
  const matrices = tensors.filter((tensor) => tensor.dims.length === 2 && !isLookedUp(tensor));
  const weights = sum(matrices);
  const embedding = sum(tensors.filter(isLookedUp));
  const all = sum(tensors);
  const dataBytes = tensors.reduce((n, { lengthBytes }) => n + lengthBytes, 0);
  if (facts.weights) expect({ weights, embedding }).toEqual({ weights: facts.weights, embedding: facts.embedding });
  if (facts.parameters) expect(all).toBe(facts.parameters);
  if (facts.millions) expect(Math.abs(all / 1e6 / facts.millions - 1)).toBeLessThan(0.05);
  if (facts.tensors) expect(tensors).toHaveLength(facts.tensors);
  // A quarter of a byte for a weight, a scale for each matrix.
  if (facts.packed) expect(weights / 4 + matrices.length + (all - weights)).toBe(facts.packed);
  const decimals = facts.dataMB?.split('.')[1]?.length ?? 0;
  if (facts.dataMB) expect((dataBytes / 1e6).toFixed(decimals)).toBe(facts.dataMB);
  if (facts.binBytes) expect(bitmambaFileBytes(tensors)).toBe(facts.binBytes);
}

/** Of the same tensors in BitMamba's own format, with its header of 20 bytes and one for each tensor. */
function bitmambaFileBytes(tensors: readonly TensorInfo[]): number {
  return tensors.reduce((bytes, { name, dims, encoding }) => {
    if (encoding.family !== 'dense') return bytes + 16 + product(dims) / 4;
    const nDims = name.includes('conv1d.weight') ? 3 : dims.length;
    return bytes + 8 + 4 * nDims + 4 * product(dims);
  }, 20);
}
