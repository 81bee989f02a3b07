// The ternary and 1-bit models that people run: where they are, what they are, what to know before using them. Data
// only; sizes that can be computed are computed from the shape (shapes.ts). docs/MODELS.md is made from this.

import type { Shape, Storage, TransformerShape } from './shapes.ts';

export interface KnownModel {
  readonly name: string;
  /** Of the repository: "owner/repo". */
  readonly hub: string;
  /** The file in it; undefined for a safetensors repository; 'ask' where the repository has several and none is known. */
  readonly file: string | 'ask' | undefined;
  /** Of the file, or of all weights of the repository. */
  readonly bytes: number;
  /** False: computed or read off a rounded figure. */
  readonly bytesAreExact: boolean;
  readonly sha256?: string;
  /** general.architecture as it is read. */
  readonly architecture: string;
  readonly encoding: string;
  readonly licence: string;
  /** Tokens that it was trained for; undefined where the file has to tell. */
  readonly contextLength: number | undefined;
  /** How a conversation is written; 'none' for a base model. */
  readonly chat: 'bitnet' | 'chatml' | 'llama-3' | 'falcon3' | 'none';
  readonly shape: Shape;
  readonly storage: Storage;
  readonly notes: readonly string[];
}

const i2s: Storage = { bits: 2, group: 'tensor', scaleBytes: 32, embedding: 2 };
const packed: Storage = { bits: 2, group: 'tensor', scaleBytes: 2, embedding: 2 };
const q1: Storage = { bits: 1, group: 128, scaleBytes: 2, embedding: 'low' };
const q2: Storage = { bits: 2, group: 128, scaleBytes: 2, embedding: 'low' };
/** Floats in the file, ternary once they are read. */
const floats = (bytes: number): Storage => ({ bits: 8 * bytes, group: 'tensor', scaleBytes: 0, embedding: bytes });
const bitmamba: Storage = { bits: 2, group: 'tensor', scaleBytes: 4, embedding: 4 };

const bitnet2b: TransformerShape = {
  ...{ kind: 'bitnet', nLayers: 30, dim: 2560, hiddenDim: 6912, nHeads: 20, nKvHeads: 5, headDim: 128 },
  ...{ vocabSize: 128256, tied: true },
};
const llama8b: TransformerShape = {
  ...{ kind: 'llama', nLayers: 32, dim: 4096, hiddenDim: 14336, nHeads: 32, nKvHeads: 8, headDim: 128 },
  ...{ vocabSize: 128256, tied: false },
};
const bonsai = (nLayers: number, dim: number, hiddenDim: number, nHeads: number, tied: boolean): TransformerShape => ({
  ...{ kind: 'qwen3', nLayers, dim, hiddenDim, nHeads, nKvHeads: 8, headDim: 128, vocabSize: 151669, tied },
});
const bonsai1b = bonsai(28, 2048, 6144, 16, true);
const bonsai4b = bonsai(36, 2560, 9728, 32, true);
const bonsai8b = bonsai(36, 4096, 12288, 32, false);
const falcon3 = (nLayers: number, dim: number, hiddenDim: number, nHeads: number, vocabSize = 131072) =>
  ({
    ...{ kind: 'llama', nLayers, dim, hiddenDim, nHeads, nKvHeads: 4, headDim: 256, vocabSize, tied: false },
  }) satisfies TransformerShape;
const falconE = (nLayers: number, hiddenDim: number): TransformerShape => ({
  ...{ kind: 'llama', nLayers, dim: 2048, hiddenDim, nHeads: 16, nKvHeads: 2, headDim: 128 },
  ...{ vocabSize: 32768, tied: false },
});
const oneBit = (nLayers: number, dim: number, hiddenDim: number, nHeads: number): TransformerShape => ({
  ...{ kind: 'bitnet', nLayers, dim, hiddenDim, nHeads, nKvHeads: nHeads, headDim: dim / nHeads },
  ...{ vocabSize: 32002, tied: true },
});

const bitnetTemplate =
  'the chat template in it is wrong for the model and its end of turn is not its eos token: both are put right here';
const wideActivations = 'weight-only: activations are floats, held as int16';
const unknownSize = 'size computed, not seen';

function ternaryBonsai(size: string, bytes: number, shape: TransformerShape): KnownModel {
  return {
    name: `Ternary Bonsai ${size}`,
    hub: `prism-ml/Ternary-Bonsai-${size}-gguf`,
    file: `Ternary-Bonsai-${size}-Q2_0.gguf`,
    ...{ bytes, bytesAreExact: false, architecture: 'qwen3', encoding: 'Q2_0 (128)', licence: 'Apache-2.0' },
    ...{ contextLength: size === '8B' ? 65536 : 32768, chat: 'chatml', shape, storage: q2 },
    notes: [
      wideActivations,
      "type id 42 with groups of 128, which mainline llama.cpp takes for groups of 64 and turns into noise; -PQ2_0.gguf is the same under an id of its own, -Q2_0_g64.gguf mainline's form",
    ],
  };
}

function bonsaiQ1(size: string, bytes: number, shape: TransformerShape): KnownModel {
  return {
    name: `Bonsai ${size}`,
    hub: `prism-ml/Bonsai-${size}-gguf`,
    file: `Bonsai-${size}-Q1_0.gguf`,
    ...{ bytes, bytesAreExact: true, architecture: 'qwen3', encoding: 'Q1_0', licence: 'Apache-2.0' },
    ...{ contextLength: size === '8B' ? 65536 : 32768, chat: 'chatml', shape, storage: q1 },
    notes: [wideActivations, 'embedding and head are 1-bit too'],
  };
}

function falconEdge(size: '1B' | '3B', form: 'Instruct' | 'Base'): KnownModel {
  return {
    name: `Falcon-E ${size} ${form}`,
    hub: `tiiuae/Falcon-E-${size}-${form}-GGUF`,
    file: 'ggml-model-i2_s.gguf',
    bytes: size === '1B' ? 666e6 : 1000e6,
    ...{ bytesAreExact: false, architecture: 'llama', encoding: 'I2_S', licence: 'Falcon-LLM licence' },
    ...{ contextLength: undefined, chat: form === 'Base' ? 'none' : 'chatml', storage: i2s },
    shape: size === '1B' ? falconE(24, 9216) : falconE(32, 13312),
    notes: [
      "llama.cpp refuses its tokenizer.ggml.pre, falcon_e; here it is llama-bpe's pattern",
      ...(form === 'Instruct' && size === '3B'
        ? ['reported to stall with its own chat template; the plain frame "User: ...\\nFalcon:" works']
        : []),
    ],
  };
}

type Falcon3Size = '1B' | '3B' | '7B' | '10B';
const falcon3Shapes: Record<Falcon3Size, TransformerShape> = {
  '1B': falcon3(18, 2048, 8192, 8),
  '3B': falcon3(22, 3072, 9216, 12),
  '7B': falcon3(28, 3072, 23040, 12, 131080),
  '10B': falcon3(40, 3072, 23040, 12),
};

function falcon3Gguf(size: Falcon3Size, bytes: number): KnownModel {
  return {
    name: `Falcon3 ${size} Instruct 1.58bit`,
    hub: `tiiuae/Falcon3-${size}-Instruct-1.58bit-GGUF`,
    file: 'ggml-model-i2_s.gguf',
    ...{ bytes, bytesAreExact: false, architecture: 'llama', encoding: 'I2_S', licence: 'Falcon-LLM licence 2.0' },
    ...{ contextLength: size === '1B' ? 8192 : 32768, chat: 'falcon3', shape: falcon3Shapes[size], storage: i2s },
    notes: [unknownSize, 'rope base 1000042: a file without it answers worse and worse with length'],
  };
}

function falcon3Safetensors(size: Falcon3Size, bytes: number): KnownModel {
  return {
    ...falcon3Gguf(size, bytes),
    name: `Falcon3 ${size} Instruct 1.58bit (safetensors)`,
    hub: `tiiuae/Falcon3-${size}-Instruct-1.58bit`,
    ...{ file: undefined, encoding: 'uint8', storage: packed },
    notes: [...(size === '7B' ? [] : [unknownSize]), 'its weight_scale divides'],
  };
}

function trilm(
  size: string,
  vocabSize: number,
  nLayers: number,
  dim: number,
  hiddenDim: number,
  nHeads: number,
): KnownModel {
  const shape: TransformerShape = {
    ...{
      kind: 'llama',
      nLayers,
      dim,
      hiddenDim,
      nHeads,
      nKvHeads: nHeads,
      headDim: dim / nHeads,
      vocabSize,
      tied: false,
    },
  };
  const weights = 2 * (nLayers * (4 * dim * dim + 3 * dim * hiddenDim) + 2 * dim * vocabSize);
  return {
    name: `TriLM ${size}`,
    hub: `SpectraSuite/TriLM_${size}_Unpacked`,
    ...{
      file: undefined,
      bytes: weights,
      bytesAreExact: false,
      architecture: 'llama',
      encoding: 'F16',
      licence: 'Apache-2.0',
    },
    ...{ contextLength: 2048, chat: 'none', shape, storage: floats(2) },
    notes: [unknownSize, 'ternary with a scale per row, stored as floats; activations are floats (trained W1.58A16)'],
  };
}

function bitMamba(size: string, file: string, bytes: number, nLayers: number, dim: number, nHeads: number): KnownModel {
  return {
    name: `BitMamba-2 ${size}`,
    hub: `Zhayr1/BitMamba-2-${size}`,
    ...{ file: `bitmamba_cpp/${file}`, bytes, bytesAreExact: false, architecture: 'bitmamba2', encoding: 'BitMamba' },
    ...{ licence: 'not stated (code MIT)', contextLength: undefined, chat: 'none', storage: bitmamba },
    shape: { kind: 'bitmamba', nLayers, dim, nHeads, vocabSize: 50257 },
    notes: [unknownSize, 'recurrent: memory does not grow with the context', "the file has no tokenizer: GPT-2's"],
  };
}

export const knownModels: readonly KnownModel[] = [
  {
    name: 'BitNet b1.58 2B-4T',
    hub: 'microsoft/bitnet-b1.58-2B-4T-gguf',
    file: 'ggml-model-i2_s.gguf',
    ...{ bytes: 1_187_801_280, bytesAreExact: true },
    sha256: '4221b252fdd5fd25e15847adfeb5ee88886506ba50b8a34548374492884c2162',
    ...{ architecture: 'bitnet-b1.58', encoding: 'I2_S', licence: 'MIT', contextLength: 4096, chat: 'bitnet' },
    ...{ shape: bitnet2b, storage: i2s },
    notes: [bitnetTemplate, 'it has no tokenizer.ggml.pre: llama-bpe is used'],
  },
  bonsaiQ1('1.7B', 248_302_272, bonsai1b),
  bonsaiQ1('4B', 572_270_624, bonsai4b),
  bonsaiQ1('8B', 1_158_654_496, bonsai8b),
  ternaryBonsai('1.7B', 463e6, bonsai1b),
  ternaryBonsai('4B', 1075e6, bonsai4b),
  ternaryBonsai('8B', 2180e6, bonsai8b),
  falconEdge('1B', 'Instruct'),
  falconEdge('1B', 'Base'),
  falconEdge('3B', 'Instruct'),
  falconEdge('3B', 'Base'),
  falcon3Gguf('1B', 1360e6),
  falcon3Gguf('3B', 2220e6),
  falcon3Gguf('7B', 3280e6),
  falcon3Gguf('10B', 4000e6),
  {
    name: 'BitNet b1.58 2B-4T (safetensors)',
    hub: 'microsoft/bitnet-b1.58-2B-4T',
    file: undefined,
    ...{ bytes: 1180e6, bytesAreExact: false, architecture: 'bitnet-b1.58', encoding: 'uint8', licence: 'MIT' },
    ...{ contextLength: 4096, chat: 'bitnet', shape: bitnet2b, storage: packed },
    notes: ["its weight_scale multiplies; it differs from the GGUF's scales by up to 2^-9"],
  },
  {
    name: 'BitNet b1.58 2B-4T (bf16 masters)',
    hub: 'microsoft/bitnet-b1.58-2B-4T-bf16',
    file: undefined,
    ...{ bytes: 4830e6, bytesAreExact: false, architecture: 'bitnet-b1.58', encoding: 'BF16', licence: 'MIT' },
    ...{ contextLength: 4096, chat: 'bitnet', shape: bitnet2b, storage: floats(2) },
    notes: ['master weights, made ternary while they are read'],
  },
  {
    name: 'Llama3 8B 1.58 100B tokens',
    hub: 'HF1BitLLM/Llama3-8B-1.58-100B-tokens',
    file: undefined,
    ...{ bytes: 3850e6, bytesAreExact: false, architecture: 'llama', encoding: 'uint8', licence: 'Llama 3 (derived)' },
    ...{ contextLength: 8192, chat: 'llama-3', shape: llama8b, storage: packed },
    notes: [unknownSize, 'fine-tuned on plain text: completion works better than chat', 'its weight_scale divides'],
  },
  falcon3Safetensors('1B', 1360e6),
  falcon3Safetensors('3B', 2220e6),
  falcon3Safetensors('7B', 3270e6),
  falcon3Safetensors('10B', 3990e6),
  {
    name: 'bitnet_b1_58-large',
    hub: '1bitLLM/bitnet_b1_58-large',
    file: undefined,
    ...{ bytes: 2900e6, bytesAreExact: false, architecture: 'bitnet', encoding: 'F32', licence: 'MIT' },
    ...{ contextLength: 2048, chat: 'none', shape: oneBit(24, 1536, 4096, 16), storage: floats(4) },
    notes: ['master weights, made ternary while they are read'],
  },
  {
    name: 'bitnet_b1_58-large (TQ2_0)',
    hub: 'gianni-cor/bitnet_b1_58-large-TQ2_0',
    file: 'ask',
    ...{ bytes: 275e6, bytesAreExact: false, architecture: 'bitnet', encoding: 'TQ2_0', licence: 'MIT' },
    ...{ contextLength: 2048, chat: 'none', shape: oneBit(24, 1536, 4096, 16) },
    storage: { bits: 2, group: 256, scaleBytes: 2, embedding: 2 },
    notes: [unknownSize, 'a conversion by the community; the name of its file is not known here'],
  },
  {
    name: 'bitnet_b1_58-3B',
    hub: '1bitLLM/bitnet_b1_58-3B',
    file: undefined,
    ...{ bytes: 13300e6, bytesAreExact: false, architecture: 'bitnet', encoding: 'F32', licence: 'MIT' },
    ...{ contextLength: 2048, chat: 'none', shape: oneBit(26, 3200, 8640, 32), storage: floats(4) },
    notes: [
      'master weights, made ternary while they are read',
      "rows of 8640 are no multiple of 256: only I2_S can hold it as GGUF, and bitnet.cpp's own kernels do not run that",
    ],
  },
  trilm('99M', 50304, 16, 512, 1280, 8),
  trilm('190M', 50304, 16, 768, 2048, 12),
  trilm('390M', 50304, 24, 1024, 2560, 16),
  trilm('560M', 50304, 24, 1280, 3072, 20),
  trilm('830M', 50304, 24, 1536, 4096, 24),
  trilm('1.1B', 50432, 24, 1792, 5120, 28),
  trilm('1.5B', 50432, 24, 2048, 6144, 32),
  trilm('2.4B', 50304, 30, 2304, 7680, 36),
  trilm('3.9B', 50688, 30, 3072, 9216, 24),
  bitMamba('0.25B', 'bitmamba_255m.bin', 258_250_988, 24, 1024, 16),
  bitMamba('1B', 'bitmamba_1b.bin', 644_297_164, 32, 2048, 32),
];

/** Repositories that look like the above and cannot be run, and why; the first that matches "owner/repo". */
export const refusedModels: readonly { readonly pattern: RegExp; readonly why: string }[] = [
  { pattern: /^prism-ml\/.*-mlx-[12]bit$/i, why: 'it is packed for MLX; use the -gguf repository of the same model' },
  { pattern: /^prism-ml\/.*Bonsai-(2-)?27B/i, why: 'its hybrid architecture (qwen35) is not supported' },
  { pattern: /^prism-ml\/Ternary-Bonsai-2-/i, why: 'its weights are rotated (prism.hadamard), which is not supported' },
  {
    pattern: /^tdh111\//i,
    why: 'its tensor types are those of ik_llama.cpp only; use microsoft/bitnet-b1.58-2B-4T-gguf',
  },
];

/** By "owner/repo", whatever its letters' case. */
export function knownModel(hub: string): KnownModel | undefined {
  return knownModels.find((model) => model.hub.toLowerCase() === hub.toLowerCase());
}
