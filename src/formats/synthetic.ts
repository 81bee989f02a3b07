// Models of the published shapes with random weights, made while they are read: for benchmarks and tests of size
// without a download. A virtual GGUF file; never in memory as a whole.

import { TernlightError } from '../errors.ts';
import { encodingByName } from './encodings/index.ts';
import { ggufHeader, type MetadataItem, type TensorPlan } from './gguf-write.ts';
import { checkRange } from './range.ts';
import { type Fill, fillFor } from './synthetic-fill.ts';
import { syntheticVocab } from './synthetic-vocab.ts';
import type { ByteSource, Encoding } from './types.ts';

interface Shape {
  arch: 'bitnet' | 'bitnet-b1.58' | 'llama';
  nLayers: number;
  dim: number;
  hiddenDim: number;
  nHeads: number;
  nKvHeads: number;
  headDim: number;
  vocabSize: number;
  controls: number;
  contextLength: number;
  ropeTheta: number;
  rmsEps: number;
  tied: boolean;
}

const falcon3: Shape = {
  arch: 'llama',
  nLayers: 28,
  dim: 3072,
  hiddenDim: 23040,
  nHeads: 12,
  nKvHeads: 4,
  headDim: 256,
  vocabSize: 131072,
  controls: 2,
  contextLength: 32768,
  ropeTheta: 1000042,
  rmsEps: 1e-6,
  tied: false,
};

const bitnetLarge: Shape = {
  arch: 'bitnet',
  nLayers: 24,
  dim: 1536,
  hiddenDim: 4096,
  nHeads: 16,
  nKvHeads: 16,
  headDim: 96,
  vocabSize: 32002,
  controls: 2,
  contextLength: 2048,
  ropeTheta: 10000,
  rmsEps: 1e-5,
  tied: true,
};

const bitnet2b: Shape = {
  arch: 'bitnet-b1.58',
  nLayers: 30,
  dim: 2560,
  hiddenDim: 6912,
  nHeads: 20,
  nKvHeads: 5,
  headDim: 128,
  vocabSize: 128256,
  controls: 256,
  contextLength: 4096,
  ropeTheta: 500000,
  rmsEps: 1e-5,
  tied: true,
};

const shapes = {
  tiny: {
    ...bitnet2b,
    nLayers: 2,
    dim: 256,
    hiddenDim: 512,
    nHeads: 4,
    nKvHeads: 2,
    headDim: 64,
    vocabSize: 512,
    controls: 2,
    contextLength: 512,
  },
  'bitnet-2b-4t': bitnet2b,
  'bitnet-0.7b': bitnetLarge,
  'bitnet-3b': { ...bitnetLarge, nLayers: 26, dim: 3200, hiddenDim: 8640, nHeads: 32, nKvHeads: 32, headDim: 100 },
  'llama3-8b-1.58': {
    ...bitnet2b,
    arch: 'llama',
    nLayers: 32,
    dim: 4096,
    hiddenDim: 14336,
    nHeads: 32,
    nKvHeads: 8,
    contextLength: 8192,
    tied: false,
  },
  'falcon3-1b-1.58': { ...falcon3, nLayers: 18, dim: 2048, hiddenDim: 8192, nHeads: 8, contextLength: 8192 },
  'falcon3-3b-1.58': { ...falcon3, nLayers: 22, hiddenDim: 9216 },
  'falcon3-7b-1.58': { ...falcon3, vocabSize: 131080 },
  'falcon3-10b-1.58': { ...falcon3, nLayers: 40 },
} satisfies Record<string, Shape>;

export type SyntheticName = keyof typeof shapes;

export const syntheticNames = Object.keys(shapes) as readonly SyntheticName[];

export interface SyntheticOptions {
  /** Of the linear layers. TQ1_0 and TQ2_0 need rows of a multiple of 256. Default "I2_S". */
  encoding?: 'I2_S' | 'TQ1_0' | 'TQ2_0';
  /** Default 1. */
  seed?: number;
}

/** The same bytes for the same arguments, whatever the order and size of the reads. Throws 'invalid-option'. */
export function syntheticModel(name: string, options: SyntheticOptions = {}): ByteSource {
  const shape: Shape | undefined = Object.hasOwn(shapes, name) ? shapes[name as SyntheticName] : undefined;
  if (!shape) {
    throw new TernlightError(
      'invalid-option',
      `synthetic: no model "${name}", expected one of ${syntheticNames.join(', ')}`,
    );
  }
  const { encoding = 'I2_S', seed = 1 } = options;
  const linear = encodingByName(encoding)!;
  const plans = tensors(shape, linear);
  const { bytes, fileBytes, tensorOffsetsBytes, tensorBytes } = ggufHeader(metadata(name, shape), plans);

  const fills = new Map<string, Fill>();
  const pieces: Piece[] = plans.map((plan, i) => {
    const cols = plan.encoding === linear ? plan.dims[0]! : 0;
    const key = `${plan.encoding.name} ${cols}`;
    const fill = fills.get(key) ?? fillFor(plan.encoding, cols, seed + cols);
    fills.set(key, fill);
    // Each tensor begins elsewhere in the pattern.
    const phase = ((i * 1009 + seed) * fill.blockBytes) % fill.pattern.length;
    return { ...fill, phase, offsetBytes: tensorOffsetsBytes[i]!, lengthBytes: tensorBytes[i]! };
  });

  const sourceName = `synthetic ${name}`;
  return {
    name: sourceName,
    byteLength: fileBytes,
    async read(offsetBytes, lengthBytes, signal) {
      signal?.throwIfAborted();
      checkRange(sourceName, fileBytes, offsetBytes, lengthBytes);
      const out = new Uint8Array(lengthBytes);
      out.set(bytes.subarray(offsetBytes, offsetBytes + lengthBytes));
      for (const piece of pieces) write(piece, offsetBytes, out);
      return out;
    },
    async close() {},
  };
}

interface Piece extends Fill {
  phase: number;
  offsetBytes: number;
  lengthBytes: number;
}

/** What `out`, which stands at `outAt` in the file, has of the tensor. */
function write({ pattern, phase, trailer, offsetBytes, lengthBytes }: Piece, outAt: number, out: Uint8Array): void {
  const dataEnd = offsetBytes + lengthBytes - trailer.length;
  const end = Math.min(outAt + out.length, dataEnd);
  for (let at = Math.max(outAt, offsetBytes); at < end; ) {
    const from = (at - offsetBytes + phase) % pattern.length;
    const count = Math.min(end - at, pattern.length - from);
    out.set(pattern.subarray(from, from + count), at - outAt);
    at += count;
  }
  for (let i = 0; i < trailer.length; i++) {
    const at = dataEnd + i - outAt;
    if (at >= 0 && at < out.length) out[at] = trailer[i]!;
  }
}

function metadata(name: string, shape: Shape): MetadataItem[] {
  const { arch } = shape;
  return [
    ['general.architecture', 'string', arch],
    ['general.name', 'string', `synthetic ${name}`],
    [`${arch}.block_count`, 'u32', shape.nLayers],
    [`${arch}.context_length`, 'u32', shape.contextLength],
    [`${arch}.embedding_length`, 'u32', shape.dim],
    [`${arch}.feed_forward_length`, 'u32', shape.hiddenDim],
    [`${arch}.attention.head_count`, 'u32', shape.nHeads],
    [`${arch}.attention.head_count_kv`, 'u32', shape.nKvHeads],
    [`${arch}.attention.key_length`, 'u32', shape.headDim],
    [`${arch}.attention.value_length`, 'u32', shape.headDim],
    [`${arch}.attention.layer_norm_rms_epsilon`, 'f32', shape.rmsEps],
    [`${arch}.rope.freq_base`, 'f32', shape.ropeTheta],
    [`${arch}.rope.dimension_count`, 'u32', shape.headDim],
    [`${arch}.vocab_size`, 'u32', shape.vocabSize],
    ...syntheticVocab(shape.vocabSize, shape.controls),
  ];
}

function tensors(shape: Shape, linear: Encoding): TensorPlan[] {
  const { dim, hiddenDim, vocabSize } = shape;
  const qDim = shape.nHeads * shape.headDim;
  const kvDim = shape.nKvHeads * shape.headDim;
  const half = encodingByName('F16')!;
  const list: TensorPlan[] = [{ name: 'token_embd.weight', dims: [dim, vocabSize], encoding: half }];
  const norm = (name: string, length: number) =>
    list.push({ name: `${name}.weight`, dims: [length], encoding: encodingByName('F32')! });
  const matrix = (name: string, cols: number, rows: number) =>
    list.push({ name: `${name}.weight`, dims: [cols, rows], encoding: linear });
  for (let layer = 0; layer < shape.nLayers; layer++) {
    const blk = `blk.${layer}`;
    norm(`${blk}.attn_norm`, dim);
    matrix(`${blk}.attn_q`, dim, qDim);
    matrix(`${blk}.attn_k`, dim, kvDim);
    matrix(`${blk}.attn_v`, dim, kvDim);
    if (shape.arch !== 'llama') norm(`${blk}.attn_sub_norm`, qDim);
    matrix(`${blk}.attn_output`, qDim, dim);
    norm(`${blk}.ffn_norm`, dim);
    matrix(`${blk}.ffn_gate`, dim, hiddenDim);
    matrix(`${blk}.ffn_up`, dim, hiddenDim);
    if (shape.arch !== 'llama') norm(`${blk}.ffn_sub_norm`, hiddenDim);
    matrix(`${blk}.ffn_down`, hiddenDim, dim);
  }
  norm('output_norm', dim);
  if (!shape.tied) list.push({ name: 'output.weight', dims: [dim, vocabSize], encoding: half });
  return list;
}
