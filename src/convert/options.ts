// What a conversion is asked for and what it gives. Types and names only.

/** Encodings for ternary and 1-bit matrices: of mainline llama.cpp, and the last of bitnet.cpp. */
export const ternaryTargets = ['TQ2_0', 'TQ1_0', 'I2_S'] as const;
export type TernaryTarget = (typeof ternaryTargets)[number];

/** Encodings for embedding and head. */
export const embeddingTargets = ['F16', 'Q8_0', 'Q6_K'] as const;
export type EmbeddingTarget = (typeof embeddingTargets)[number];

export interface ConvertOptions {
  /** Encoding of ternary and 1-bit matrices. Default "TQ2_0". */
  ternary?: TernaryTarget;
  /** Encoding of embedding and head. Default: the file's own where it is one of the three, else "F16". */
  embedding?: EmbeddingTarget;
  signal?: AbortSignal;
  /** Bytes of the new file that have been made, and of all of it. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

export interface ConvertedTensor {
  readonly name: string;
  /** Names of encodings: the file's and the new one. */
  readonly from: string;
  readonly to: string;
  /** In the new file. */
  readonly bytes: number;
}

export interface Conversion {
  /** Of the new file. */
  readonly fileBytes: number;
  readonly tensors: readonly ConvertedTensor[];
  /** What was changed beside the encodings, a sentence each. */
  readonly notes: readonly string[];
  /** The new file from its first byte to its last, a few MB at a time; can be iterated once. */
  readonly pieces: AsyncIterable<Uint8Array>;
  /**
   * The worst relative rounding of a scale to f16 and the tensor that has it; undefined where all are exact. Complete
   * once `pieces` has ended.
   */
  readonly scaleRounding: { readonly tensor: string; readonly relative: number } | undefined;
}
