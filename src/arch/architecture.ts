// What an architecture file provides. It records operations on a builder and knows no bytes, memory or threads.
import type { Builder } from '../plan/builder.ts';

/** The hyper-parameters a forward pass needs, named as in GGUF. */
export interface ModelConfig {
  architecture: string;
  /** What the model was trained for. */
  contextLength: number;
  dim: number;
  hiddenDim: number;
  nLayers: number;
  nHeads: number;
  nKvHeads: number;
  headDim: number;
  vocabSize: number;
  rmsEps: number;
  /** Sessions hold a state that does not grow: the context is not limited by memory. */
  recurrent?: boolean;
  /** Undefined where positions play no part. */
  rope: RopeConfig | undefined;
  /** What the weights were trained to be multiplied with: int8, a scale per token (BitNet), or floats (weight-only). */
  activations: 'int8' | 'float';
}

export interface RopeConfig {
  /** 'half' turns (x[j], x[j + n/2]) ("NEOX"), 'pairs' turns (x[2j], x[2j+1]) ("NORM"). */
  pairing: 'half' | 'pairs';
  /** Dimensions of a head that are turned. */
  dims: number;
  theta: number;
  scaling: RopeScaling;
}

export type RopeScaling =
  | { type: 'none' }
  /** Angles are divided by the factor. */
  | { type: 'linear'; factor: number }
  | {
      type: 'yarn';
      factor: number;
      originalContextLength: number;
      betaFast: number;
      betaSlow: number;
      /** Multiplies YaRN's own magnitude. */
      attentionFactor: number;
    };

export type TensorRole = 'embedding' | 'head' | 'linear' | 'vector' | 'scale';

export interface TensorSpec {
  name: string;
  /** [in, out] for matrices, [n] for vectors. */
  dims: readonly number[];
  role: TensorRole;
  /** May be absent (a tied head, a separate scale). */
  optional?: boolean;
}

/** What architectures are told of a file beside its metadata. */
export interface ModelFacts {
  /** Rows of the embedding. */
  vocabSize: number;
  /** Names of the encodings that the file's tensors are in. */
  encodings: ReadonlySet<string>;
}

/** The part of a file's metadata that architectures read. */
export interface KeyValues {
  integer(key: string): number | undefined;
  float(key: string): number | undefined;
  string(key: string): string | undefined;
  perLayer(key: string, layer: number): number | undefined;
}

export interface Architecture {
  /** Values of general.architecture. */
  readonly ids: readonly string[];
  config(keys: KeyValues, facts: ModelFacts): ModelConfig;
  tensors(config: ModelConfig): TensorSpec[];
  forward(builder: Builder, config: ModelConfig): void;
}
