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
  rope: RopeConfig;
}

export interface RopeConfig {
  /** 'half' turns (x[j], x[j + n/2]) ("NEOX"), 'pairs' turns (x[2j], x[2j+1]) ("NORM"). */
  pairing: 'half' | 'pairs';
  /** Dimensions of a head that are turned. */
  dims: number;
  theta: number;
  /** Angles are divided by this; 1 is no scaling. */
  linearFactor: number;
}

export type TensorRole = 'embedding' | 'head' | 'linear' | 'norm' | 'scale';

export interface TensorSpec {
  name: string;
  /** [in, out] for matrices, [n] for vectors. */
  dims: readonly number[];
  role: TensorRole;
  /** May be absent (a tied head, a separate scale). */
  optional?: boolean;
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
  config(keys: KeyValues, vocabSize: number): ModelConfig;
  tensors(config: ModelConfig): TensorSpec[];
  forward(builder: Builder, config: ModelConfig): void;
}
