// What a builder is given and gives, and what architectures hold between two operations.
import type { ModelConfig } from '../arch/architecture.ts';
import type { Plan } from './plan.ts';
import type { Vector, Weight } from './weights.ts';

export type KvType = 'f32' | 'f16';
export type RowKernel = 'dot' | 'i16' | 'wide';

export interface BuilderOptions {
  config: ModelConfig;
  weights: ReadonlyMap<string, Weight>;
  /** Gives `bytes` of memory; the same name gives the same address. */
  allocate(name: string, bytes: number): number;
  /** Address of the control block. */
  control: number;
  /** Tokens of a chunk at most; a multiple of TILE_TOKENS. */
  chunkTokens: number;
  /** Positions that a session's cache holds. */
  capacity: number;
  kv: KvType;
  /** Which kernel multiplies ternary and int8 rows by single tokens. */
  rowKernel: RowKernel;
}

export interface Plans {
  /** Indexed by PLAN_DECODE, PLAN_PREFILL, PLAN_HEAD. */
  readonly plans: readonly Plan[];
  /** Where the host puts token ids: [chunkTokens] i32. */
  readonly ids: number;
  /** [ROW_TOKENS, logitsStride] f32 */
  readonly logits: number;
  /** Elements from one row of logits to the next. */
  readonly logitsStride: number;
  readonly vocabSize: number;
  /** What the host writes before the first walk. */
  readonly constants: readonly { address: number; data: Float64Array }[];
  /** Bytes that each thread needs. */
  readonly scratchBytes: number;
}

/** Rows of activations, one per token: [chunkTokens, stride] f32, `cols` of them in use. */
export interface Value {
  readonly address: number;
  readonly cols: number;
  readonly stride: number;
}

/** A norm that is not computed yet: how depends on what reads it. */
export interface Normed {
  readonly of: Value;
  readonly weight: Vector;
}

/** Activations as int8: q [chunkTokens, cols] i8, scale [chunkTokens] f32; cols padded to COLS_ALIGN. */
export interface Quantized {
  readonly q: number;
  readonly scale: number;
  readonly cols: number;
}

/** Bytes of keys and values that a session needs. */
export function kvBytes(config: ModelConfig, capacity: number, kv: KvType): number {
  return config.nLayers * 2 * config.nKvHeads * capacity * config.headDim * (kv === 'f16' ? 2 : 4);
}
