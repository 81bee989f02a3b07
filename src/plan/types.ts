// What a builder is given and gives, and what architectures hold between two operations.
import { ATTENTION_ROWS, FLOAT_ROWS, KV_BLOCK } from '../../assembly/layout.ts';
import type { ModelConfig } from '../arch/architecture.ts';
import type { Plan } from './plan.ts';
import { roundUp, type Vector, type Weight } from './weights.ts';

export type KvType = 'f32' | 'f16' | 'i8' | 'i4';
/** How rows are multiplied by single tokens; 'paired' is 'dot' as V8's revectorizer wants it. */
export type RowKernel = 'dot' | 'paired' | 'i16' | 'wide';

/** What a kernel that has no paired form is chosen by. */
export function unpaired(rowKernel: RowKernel): Exclude<RowKernel, 'paired'> {
  return rowKernel === 'paired' ? 'dot' : rowKernel;
}

/**
 * What ternary and binary matrices are multiplied with: int8 with a scale per token (how BitNet is trained), or
 * digits with a scale per block: one, two (weight-only models: 3e-5 from f32), three (as exact as f32).
 */
export type Activations = 'int8' | 'int8-blocks' | 'int16' | 'float';

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
  activations: Activations;
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
  /** Bytes of a session's cache or state. */
  readonly sessionBytes: number;
  /** The session holds a state, which cannot be cut back to fewer tokens. */
  readonly recurrent: boolean;
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

/** Activations as int8 digits: q [count][chunkTokens, cols] i8, scales [chunkTokens, cols / blockCols] f32. */
export interface Digits {
  readonly q: number;
  /** From one digit's plane to the next. */
  readonly planeBytes: number;
  readonly scales: number;
  readonly cols: number;
  readonly blockCols: number;
  readonly count: 1 | 2 | 3;
}

/** Bytes of a position's keys in a layer, or of its values. Integer caches have a scale each and padded channels. */
export function cacheBytesPerPosition({ nKvHeads, headDim }: ModelConfig, kv: KvType): number {
  if (kv === 'f32' || kv === 'f16') return nKvHeads * headDim * (kv === 'f16' ? 2 : 4);
  return nKvHeads * (4 + roundUp(headDim, 8) / (kv === 'i4' ? 2 : 1));
}

/** Bytes of a layer's keys, or of its values. Integer caches come in whole blocks of positions. */
export function layerCacheBytes(config: ModelConfig, capacity: number, kv: KvType): number {
  const positions = kv === 'f32' || kv === 'f16' ? capacity : roundUp(capacity, KV_BLOCK);
  return positions * cacheBytesPerPosition(config, kv);
}

/** Scratch of a thread's attention, as its kernels' docs have it. */
export function attentionScratchBytes(config: ModelConfig, capacity: number, kv: KvType): number {
  const { nHeads, nKvHeads, headDim } = config;
  if (kv === 'f32' || kv === 'f16')
    return Math.max(FLOAT_ROWS, nHeads / nKvHeads) * (8 * headDim + 4 * roundUp(capacity, 4));
  return ATTENTION_ROWS * (64 + 7 * KV_BLOCK) + (7 * ATTENTION_ROWS + 5) * roundUp(headDim, 8);
}
