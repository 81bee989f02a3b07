// What follows from the shape of a known model: parameters, bytes of its file, memory to run it. Arithmetic only; the
// memory is what the runtime's own plan comes to, less activations and code.

export interface TransformerShape {
  readonly kind: 'bitnet' | 'llama' | 'qwen3';
  readonly nLayers: number;
  readonly dim: number;
  readonly hiddenDim: number;
  readonly nHeads: number;
  readonly nKvHeads: number;
  readonly headDim: number;
  readonly vocabSize: number;
  /** The head is the embedding. */
  readonly tied: boolean;
}

export interface MambaShape {
  readonly kind: 'bitmamba';
  readonly nLayers: number;
  readonly dim: number;
  readonly nHeads: number;
  readonly vocabSize: number;
}

export type Shape = TransformerShape | MambaShape;

/** How the weights of a file are stored. */
export interface Storage {
  /** Of ternary and 1-bit weights: bits in the file, per weight and without scales. */
  readonly bits: number;
  /** Weights that share a scale, and the bytes of one. 'tensor': one scale in 32 bytes. */
  readonly group: number | 'tensor';
  readonly scaleBytes: number;
  /** Bytes of a weight of embedding and head; 'low' where they are stored like the other matrices. */
  readonly embedding: number | 'low';
}

export interface Counts {
  /** Ternary or 1-bit weights of the layers, and the matrices they are in. */
  readonly low: number;
  readonly matrices: number;
  /** Weights of embedding and head together, the tied one counted once. */
  readonly embedding: number;
  /** Norms, biases and the like. */
  readonly vectors: number;
}

export function countsOf(shape: Shape): Counts {
  if (shape.kind === 'bitmamba') {
    const { nLayers, dim, nHeads, vocabSize } = shape;
    const inner = 2 * dim;
    const perLayer = (2 * inner + 3 * nHeads) * dim + dim * inner;
    const vectors = dim + inner * 4 + inner + 2 * nHeads + inner + inner;
    return {
      // The head is ternary; only the embedding is not.
      ...{ low: nLayers * perLayer + vocabSize * dim, matrices: 2 * nLayers + 1 },
      ...{ embedding: vocabSize * dim, vectors: nLayers * vectors + 2 * dim },
    };
  }
  const { kind, nLayers, dim, hiddenDim, nHeads, nKvHeads, headDim, vocabSize, tied } = shape;
  const heads = nHeads * headDim;
  const perLayer = 2 * dim * heads + 2 * dim * nKvHeads * headDim + 3 * dim * hiddenDim;
  const vectors = 2 * dim + (kind === 'bitnet' ? heads + hiddenDim : kind === 'qwen3' ? 2 * headDim : 0);
  return {
    ...{ low: nLayers * perLayer, matrices: 7 * nLayers },
    ...{ embedding: dim * vocabSize * (tied ? 1 : 2), vectors: nLayers * vectors + dim },
  };
}

export function parametersOf(shape: Shape): number {
  const { low, embedding, vectors } = countsOf(shape);
  return low + embedding + vectors;
}

/** Of the tensors, without the header (1 to 9 MB, mostly the vocabulary). */
export function fileBytesOf(shape: Shape, { bits, group, scaleBytes, embedding }: Storage): number {
  const counts = countsOf(shape);
  const stored = (weights: number, matrices: number) =>
    (weights * bits) / 8 + (group === 'tensor' ? matrices * scaleBytes : (weights / group) * scaleBytes);
  const looked = embedding === 'low' ? stored(counts.embedding, 0) : counts.embedding * embedding;
  return stored(counts.low, counts.matrices) + looked + counts.vectors * 4;
}

export interface MemoryNeed {
  readonly weightsBytes: number;
  /** Of one conversation: keys and values in f16, or the state of a recurrent model. */
  readonly cacheBytes: number;
  readonly totalBytes: number;
}

/** A head this large, stored in 16 bits or more, is held as int8. */
const largeHeadWeights = 2 ** 24;

/** What the weights and one conversation of `contextTokens` take at the default settings; activations come on top. */
export function memoryOf(shape: Shape, { bits, group, embedding }: Storage, contextTokens = 2048): MemoryNeed {
  const counts = countsOf(shape);
  const isBinary = bits === 1;
  // Two bits a weight, or one; scales f32, or f16, per group; one per row (of a thousand weights or more) is next to nothing.
  const held = (weights: number) =>
    (weights * (isBinary ? 1 : 2)) / 8 +
    (group === 'tensor' ? (4 * weights) / shape.dim : (weights / group) * (isBinary ? 2 : 4));
  const wide = shape.dim * shape.vocabSize > largeHeadWeights ? 1 : 2;
  const looked =
    embedding === 'low' ? held(counts.embedding) : counts.embedding * (shape.kind === 'bitmamba' ? 4 : wide);
  const weightsBytes = Math.round(held(counts.low) + looked + counts.vectors * 4);
  const cacheBytes =
    shape.kind === 'bitmamba'
      ? shape.nLayers * 2 * shape.dim * (3 + 1) * 4
      : shape.nLayers * 2 * shape.nKvHeads * shape.headDim * contextTokens * 2;
  return { weightsBytes, cacheBytes, totalBytes: weightsBytes + cacheBytes };
}
