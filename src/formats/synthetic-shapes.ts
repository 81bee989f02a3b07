// The published shapes that synthetic models are made in. Data only. Source: the models' own configurations, as far as
// they are known; what is not is said below.

import type { SyntheticName } from './synthetic-names.ts';

export const weightEncodings = ['I2_S', 'TQ1_0', 'TQ2_0', 'Q1_0', 'Q2_0', 'PQ2_0'] as const;

export type WeightEncoding = (typeof weightEncodings)[number];

interface AnyShape {
  /** For general.name. Default: the shape's name. */
  title?: string;
  /** Of the ternary or 1-bit matrices, unless another is asked for. */
  encoding: WeightEncoding;
  nLayers: number;
  dim: number;
  nHeads: number;
  vocabSize: number;
  /** How many of the last tokens are control tokens. */
  controls: number;
  contextLength: number;
  rmsEps: number;
}

export interface TransformerShape extends AnyShape {
  arch: 'bitnet' | 'bitnet-b1.58' | 'llama' | 'qwen3';
  hiddenDim: number;
  nKvHeads: number;
  headDim: number;
  ropeTheta: number;
  yarn?: { factor: number; originalContextLength: number };
  /** The head is the embedding. */
  tied: boolean;
  /** How embedding and head are stored: F16, or like the other matrices. */
  embedding: 'F16' | 'weights';
  /** Each matrix was trained in that many parts, of as many rows each, with a scale of its own each. */
  rowShards?: number;
}

export interface MambaShape extends AnyShape {
  arch: 'bitmamba2';
}

export type Shape = TransformerShape | MambaShape;

const bitnetLarge: TransformerShape = {
  ...{ arch: 'bitnet', encoding: 'I2_S', nLayers: 24, dim: 1536, hiddenDim: 4096, nHeads: 16, nKvHeads: 16 },
  ...{ headDim: 96, vocabSize: 32002, controls: 2, contextLength: 2048, ropeTheta: 10000, rmsEps: 1e-5 },
  ...{ tied: true, embedding: 'F16' },
};

const bitnet2b: TransformerShape = {
  ...{ arch: 'bitnet-b1.58', encoding: 'I2_S', nLayers: 30, dim: 2560, hiddenDim: 6912, nHeads: 20, nKvHeads: 5 },
  ...{ headDim: 128, vocabSize: 128256, controls: 256, contextLength: 4096, ropeTheta: 500000, rmsEps: 1e-5 },
  ...{ tied: true, embedding: 'F16' },
};

const falcon3: TransformerShape = {
  ...{ arch: 'llama', encoding: 'I2_S', nLayers: 28, dim: 3072, hiddenDim: 23040, nHeads: 12, nKvHeads: 4 },
  ...{ headDim: 256, vocabSize: 131072, controls: 2, contextLength: 32768, ropeTheta: 1000042, rmsEps: 1e-6 },
  ...{ tied: false, embedding: 'F16' },
};

/**
 * Two shapes have the published number of weights: this one, and 8 heads of keys with a hidden size smaller by 512.
 * Context, rope and eps are Falcon3's, for lack of published ones.
 */
const falconE = (nLayers: number, hiddenDim: number): TransformerShape => ({
  ...falcon3,
  ...{ nLayers, dim: 2048, hiddenDim, nHeads: 16, nKvHeads: 2, headDim: 128, vocabSize: 32768 },
});

/** In how many parts each was trained is not known here: two in all, so that scales differ between rows. */
function trilm(
  size: string,
  [nLayers, dim, hiddenDim, nHeads]: [nLayers: number, dim: number, hiddenDim: number, nHeads: number],
  vocabSize = 50304,
): TransformerShape {
  return {
    ...{ title: `TriLM ${size}`, arch: 'llama', encoding: 'TQ2_0', nLayers, dim, hiddenDim, nHeads, nKvHeads: nHeads },
    ...{ headDim: dim / nHeads, vocabSize, controls: 2, contextLength: 2048, ropeTheta: 10000, rmsEps: 1e-5 },
    ...{ tied: false, embedding: 'F16', rowShards: 2 },
  };
}

const bonsai1b: TransformerShape = {
  ...{ arch: 'qwen3', encoding: 'Q1_0', nLayers: 28, dim: 2048, hiddenDim: 6144, nHeads: 16, nKvHeads: 8 },
  ...{ headDim: 128, vocabSize: 151669, controls: 26, contextLength: 32768, ropeTheta: 1e6, rmsEps: 1e-6 },
  yarn: { factor: 4, originalContextLength: 8192 },
  ...{ tied: true, embedding: 'weights' },
};

const bonsai4b: TransformerShape = {
  ...{ ...bonsai1b, nLayers: 36, dim: 2560, hiddenDim: 9728, nHeads: 32, ropeTheta: 5e6 },
  yarn: undefined, // not published
};

const bonsai8b: TransformerShape = {
  ...{ ...bonsai1b, nLayers: 36, dim: 4096, hiddenDim: 12288, nHeads: 32, contextLength: 65536, tied: false },
  yarn: { factor: 4, originalContextLength: 16384 },
};

const bitmamba = (nLayers: number, dim: number, nHeads: number): MambaShape => ({
  ...{ arch: 'bitmamba2', encoding: 'I2_S', nLayers, dim, nHeads, vocabSize: 50257, controls: 2 },
  ...{ contextLength: 2 ** 20, rmsEps: 1e-6 }, // a state of constant size knows no limit
});

export const shapes = {
  tiny: {
    ...{ ...bitnet2b, nLayers: 2, dim: 256, hiddenDim: 512, nHeads: 4, nKvHeads: 2, headDim: 64 },
    ...{ vocabSize: 512, controls: 2, contextLength: 512 },
  },
  'bitnet-2b-4t': bitnet2b,
  'bitnet-0.7b': bitnetLarge,
  'bitnet-3b': { ...bitnetLarge, nLayers: 26, dim: 3200, hiddenDim: 8640, nHeads: 32, nKvHeads: 32, headDim: 100 },
  'llama3-8b-1.58': {
    ...{ ...bitnet2b, arch: 'llama', nLayers: 32, dim: 4096, hiddenDim: 14336, nHeads: 32, nKvHeads: 8 },
    ...{ contextLength: 8192, tied: false },
  },
  'falcon3-1b-1.58': { ...falcon3, nLayers: 18, dim: 2048, hiddenDim: 8192, nHeads: 8, contextLength: 8192 },
  'falcon3-3b-1.58': { ...falcon3, nLayers: 22, hiddenDim: 9216 },
  'falcon3-7b-1.58': { ...falcon3, vocabSize: 131080 },
  'falcon3-10b-1.58': { ...falcon3, nLayers: 40 },
  'falcon-e-1b': falconE(24, 9216),
  'falcon-e-3b': falconE(32, 13312),
  'trilm-99m': trilm('99M', [16, 512, 1280, 8]),
  'trilm-190m': trilm('190M', [16, 768, 2048, 12]),
  'trilm-390m': trilm('390M', [24, 1024, 2560, 16]),
  'trilm-560m': trilm('560M', [24, 1280, 3072, 20]),
  'trilm-830m': trilm('830M', [24, 1536, 4096, 24]),
  'trilm-1.1b': trilm('1.1B', [24, 1792, 5120, 28], 50432),
  'trilm-1.5b': trilm('1.5B', [24, 2048, 6144, 32], 50432),
  'trilm-2.4b': trilm('2.4B', [30, 2304, 7680, 36]),
  'trilm-3.9b': trilm('3.9B', [30, 3072, 9216, 24], 50688),
  'bonsai-1.7b': bonsai1b,
  'bonsai-4b': bonsai4b,
  'bonsai-8b': bonsai8b,
  'ternary-bonsai-1.7b': { ...bonsai1b, encoding: 'Q2_0' },
  'ternary-bonsai-4b': { ...bonsai4b, encoding: 'Q2_0' },
  'ternary-bonsai-8b': { ...bonsai8b, encoding: 'Q2_0' },
  'bitmamba2-255m': bitmamba(24, 1024, 16),
  'bitmamba2-1b': bitmamba(32, 2048, 32),
} satisfies Record<SyntheticName, Shape>;
