// Which metadata and tensors a synthetic model of a shape has, and what numbers are in them: near what training leaves,
// so that activations keep their size through any number of layers and tokens.

import { encodingByName } from './encodings/index.ts';
import type { MetadataItem, TensorPlan } from './gguf-write.ts';
import type { Range } from './synthetic-fill.ts';
import type { MambaShape, Shape, TransformerShape } from './synthetic-shapes.ts';
import { syntheticVocab } from './synthetic-vocab.ts';
import type { Encoding } from './types.ts';

/** Numbers in a range, or ternary or 1-bit weights whose rows are in so many equal parts, each with its own scales. */
export type SyntheticTensor = TensorPlan & ({ readonly range: Range } | { readonly rowShards: number });

const norm: Range = [0.9, 1.1];
const embedding: Range = [-0.05, 0.05];

export function syntheticMetadata(name: string, shape: Shape): MetadataItem[] {
  return [
    ['general.architecture', 'string', shape.arch],
    ['general.name', 'string', `synthetic ${shape.title ?? name}`],
    [`${shape.arch}.block_count`, 'u32', shape.nLayers],
    [`${shape.arch}.context_length`, 'u32', shape.contextLength],
    [`${shape.arch}.embedding_length`, 'u32', shape.dim],
    [`${shape.arch}.attention.layer_norm_rms_epsilon`, 'f32', shape.rmsEps],
    [`${shape.arch}.vocab_size`, 'u32', shape.vocabSize],
    ...(shape.arch === 'bitmamba2' ? mambaKeys(shape) : transformerKeys(shape)),
    ...syntheticVocab(shape.vocabSize, shape.controls),
  ];
}

function transformerKeys(shape: TransformerShape): MetadataItem[] {
  const { arch, yarn } = shape;
  const items: MetadataItem[] = [
    [`${arch}.feed_forward_length`, 'u32', shape.hiddenDim],
    [`${arch}.attention.head_count`, 'u32', shape.nHeads],
    [`${arch}.attention.head_count_kv`, 'u32', shape.nKvHeads],
    [`${arch}.attention.key_length`, 'u32', shape.headDim],
    [`${arch}.attention.value_length`, 'u32', shape.headDim],
    [`${arch}.rope.freq_base`, 'f32', shape.ropeTheta],
    [`${arch}.rope.dimension_count`, 'u32', shape.headDim],
  ];
  if (!yarn) return items;
  return [
    ...items,
    [`${arch}.rope.scaling.type`, 'string', 'yarn'],
    [`${arch}.rope.scaling.factor`, 'f32', yarn.factor],
    [`${arch}.rope.scaling.original_context_length`, 'u32', yarn.originalContextLength],
  ];
}

/** As the reader of BitMamba's own files names them. */
function mambaKeys({ arch, dim, nHeads }: MambaShape): MetadataItem[] {
  return [
    [`${arch}.ssm.inner_size`, 'u32', 2 * dim],
    [`${arch}.ssm.head_count`, 'u32', nHeads],
    [`${arch}.ssm.conv_kernel`, 'u32', 4],
  ];
}

/** @param weights the encoding of the ternary or 1-bit matrices */
export function syntheticTensors(shape: Shape, weights: Encoding): SyntheticTensor[] {
  return shape.arch === 'bitmamba2' ? mambaTensors(shape, weights) : transformerTensors(shape, weights);
}

function transformerTensors(shape: TransformerShape, weights: Encoding): SyntheticTensor[] {
  const { arch, dim, hiddenDim, headDim, vocabSize } = shape;
  const heads = shape.nHeads * headDim;
  const kvHeads = shape.nKvHeads * headDim;
  const subNorms = arch === 'bitnet' || arch === 'bitnet-b1.58';
  const headNorms = arch === 'qwen3';
  const list = new TensorList(weights, shape.rowShards);
  const lookedUp = (name: string) =>
    shape.embedding === 'F16'
      ? list.numbers(name, [dim, vocabSize], embedding, 'F16')
      : list.matrix(name, dim, vocabSize);
  lookedUp('token_embd.weight');
  for (let layer = 0; layer < shape.nLayers; layer++) {
    const blk = (name: string) => `blk.${layer}.${name}.weight`;
    list.numbers(blk('attn_norm'), [dim], norm);
    list.matrix(blk('attn_q'), dim, heads);
    list.matrix(blk('attn_k'), dim, kvHeads);
    list.matrix(blk('attn_v'), dim, kvHeads);
    if (headNorms) list.numbers(blk('attn_q_norm'), [headDim], norm);
    if (headNorms) list.numbers(blk('attn_k_norm'), [headDim], norm);
    if (subNorms) list.numbers(blk('attn_sub_norm'), [heads], norm);
    list.matrix(blk('attn_output'), heads, dim);
    list.numbers(blk('ffn_norm'), [dim], norm);
    list.matrix(blk('ffn_gate'), dim, hiddenDim);
    list.matrix(blk('ffn_up'), dim, hiddenDim);
    if (subNorms) list.numbers(blk('ffn_sub_norm'), [hiddenDim], norm);
    list.matrix(blk('ffn_down'), hiddenDim, dim);
  }
  list.numbers('output_norm.weight', [dim], norm);
  if (!shape.tied) lookedUp('output.weight');
  return list.tensors;
}

function mambaTensors({ dim, nHeads, nLayers, vocabSize }: MambaShape, weights: Encoding): SyntheticTensor[] {
  const innerDim = 2 * dim;
  const list = new TensorList(weights);
  list.numbers('token_embd.weight', [dim, vocabSize], embedding);
  for (let layer = 0; layer < nLayers; layer++) {
    const blk = (name: string) => `blk.${layer}.ssm_${name}`;
    list.numbers(blk('in_norm.weight'), [dim], norm);
    list.matrix(blk('in.weight'), dim, 2 * innerDim + 3 * nHeads);
    list.numbers(blk('conv1d.weight'), [4, innerDim], [-0.5, 0.5]);
    list.numbers(blk('conv1d.bias'), [innerDim], [-0.1, 0.1]);
    list.numbers(blk('dt.bias'), [nHeads], [-4, -2]); // steps of 0.02 to 0.13
    list.numbers(blk('a'), [nHeads], [0, Math.LN2 * 4]); // the log of 1 to 16
    list.numbers(blk('d'), [innerDim], norm);
    list.numbers(blk('out_norm.weight'), [innerDim], norm);
    list.matrix(blk('out.weight'), innerDim, dim);
  }
  list.numbers('output_norm.weight', [dim], norm);
  list.numbers('output_in_norm.weight', [dim], norm);
  list.matrix('output.weight', dim, vocabSize);
  return list.tensors;
}

class TensorList {
  readonly tensors: SyntheticTensor[] = [];
  private readonly weights: Encoding;
  private readonly rowShards: number;

  constructor(weights: Encoding, rowShards = 1) {
    this.weights = weights;
    // There can be but one scale in a trailer.
    this.rowShards = weights.trailerBytes ? 1 : rowShards;
  }

  matrix(name: string, cols: number, rows: number): void {
    this.tensors.push({ name, dims: [cols, rows], encoding: this.weights, rowShards: this.rowShards });
  }

  numbers(name: string, dims: readonly number[], range: Range, encoding: 'F32' | 'F16' = 'F32'): void {
    this.tensors.push({ name, dims, encoding: encodingByName(encoding)!, range });
  }
}
