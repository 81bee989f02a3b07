// How much memory a model needs, computed from its header: before anything is allocated.
import { CONTROL_BYTES } from '../../assembly/layout.ts';
import type { Architecture, ModelConfig } from '../arch/architecture.ts';
import { buildPlans } from '../plan/builder.ts';
import type { Activations, BuilderOptions, KvType, RowKernel } from '../plan/types.ts';
import { roundUp, type Weight } from '../plan/weights.ts';
import { Layout, PAGE_BYTES } from './arena.ts';
import type { PackingJob } from './packing.ts';
import { planStaging } from './staging.ts';

export interface EngineOptions {
  /** Positions of a session's cache. */
  readonly capacity: number;
  readonly kv: KvType;
  readonly activations: Activations;
  readonly chunkTokens: number;
  readonly threads: number;
  /** Sessions at most. */
  readonly sessions: number;
}

export interface MemoryPlan {
  /** Packed weights and their scales; an upper bound where a file's scales may turn out equal. */
  readonly weightsBytes: number;
  /** Keys and values, or the state of a recurrent model. */
  readonly kvBytesPerSession: number;
  /** Activations, logits, tables. */
  readonly activationsBytes: number;
  /** Scratch of all threads, control block. Staging of the loader lies where activations and caches will be. */
  readonly otherBytes: number;
  /** All of it with one session, and with as many as were declared. */
  readonly oneSessionBytes: number;
  readonly totalBytes: number;
}

const ALIGN_BYTES = 64;

/** Where the kernels' own memory ends, about: before they are compiled. */
export const HEAP_BASE = 1024;

/** Weights as they will be packed, at addresses that mean nothing. */
function promised(jobs: readonly PackingJob[]): Map<string, Weight> {
  return new Map(jobs.map((job) => [job.info.name, promisedWeight(job)]));
}

function promisedWeight({ info: { name, encoding }, spec, kind, weightBytes, scaleBytes }: PackingJob): Weight {
  const [cols = 1, rows = 1] = spec.dims;
  const base = { name, rows, cols, address: 0, bytes: weightBytes + scaleBytes };
  const paddedCols = roundUp(cols, 32);
  const scaleElems = encoding.family === 'dense' ? (encoding.i8ScaleElems ?? cols) : encoding.scaleElems;
  switch (kind) {
    case 'vector':
      return { kind, name, length: cols, address: 0, bytes: weightBytes };
    case 'ternary':
    case 'binary':
      return { kind, ...base, scales: 0, paddedCols, blockCols: scaleElems === 'tensor' ? paddedCols : scaleElems };
    case 'i8row':
      return { kind, ...base, scales: 0, paddedCols };
    case 'i8planes':
      return { kind, ...base, low: 0, scales: 0, paddedCols };
    case 'i8block':
      return { kind, ...base, scales: 0, blockCols: scaleElems === 'tensor' ? cols : scaleElems };
    case 'f16':
    case 'f32':
      return { kind, ...base };
  }
}

/** Adds what the plans and threads need to `layout`; the same calls in the same order as Engine makes. */
export function planActivations(
  layout: Layout,
  weights: ReadonlyMap<string, Weight>,
  architecture: Architecture,
  config: ModelConfig,
  options: EngineOptions,
  control: number,
  rowKernel: RowKernel,
) {
  const builderOptions: BuilderOptions = {
    config,
    weights,
    allocate: (name, bytes) => layout.allocate(`activations: ${name}`, bytes),
    control,
    chunkTokens: options.chunkTokens,
    capacity: options.capacity,
    kv: options.kv,
    activations: options.activations,
    rowKernel,
  };
  const plans = buildPlans(builderOptions, (b) => architecture.forward(b, config));
  const scratches = Array.from({ length: options.threads }, (_, i) =>
    layout.allocate(`scratch ${i}`, plans.scratchBytes),
  );
  return { ...plans, scratches };
}

export function planMemory(
  jobs: readonly PackingJob[],
  architecture: Architecture,
  config: ModelConfig,
  options: EngineOptions,
  base: number,
): MemoryPlan {
  const weightsBytes = jobs.reduce(
    (n, j) => n + roundUp(j.weightBytes, ALIGN_BYTES) + roundUp(j.scaleBytes, ALIGN_BYTES),
    0,
  );
  const layout = new Layout(0);
  const { sessionBytes } = planActivations(layout, promised(jobs), architecture, config, options, 0, 'wide');
  const scratchBytes = layout.regions.filter((r) => r.name.startsWith('scratch')).reduce((n, r) => n + r.bytes, 0);
  const kvBytesPerSession = roundUp(sessionBytes, ALIGN_BYTES);
  const activationsBytes = layout.end - scratchBytes;
  const stagingBytes = Math.max(0, planStaging(jobs, options.threads).bytes - layout.end - kvBytesPerSession);
  const otherBytes = base + roundUp(CONTROL_BYTES, ALIGN_BYTES) + stagingBytes + scratchBytes + PAGE_BYTES;
  const fixed = weightsBytes + activationsBytes + otherBytes;
  return {
    weightsBytes,
    kvBytesPerSession,
    activationsBytes,
    otherBytes,
    oneSessionBytes: fixed + kvBytesPerSession,
    totalBytes: fixed + kvBytesPerSession * options.sessions,
  };
}
