// A header understood as a model: architecture, shapes, packings and options, all checked before memory is taken.
import type { Architecture, ModelConfig } from './arch/architecture.ts';
import { architectureById } from './arch/index.ts';
import { TernlightError } from './errors.ts';
import type { ModelFile } from './formats/types.ts';
import type { OpenOptions } from './open.ts';
import type { Activations, KvType, RowKernel } from './plan/types.ts';
import { roundUp } from './plan/weights.ts';
import type { Platform } from './platform/platform.ts';
import { chooseHead, type HeadType, packingJobs, vocabSizeOf } from './runtime/packing.ts';
import { canShareMemory, hasThreads, type Variant } from './runtime/variant.ts';

export interface LoadProgress {
  /** "download": bytes of files that come from the network and are kept; their weights are loaded meanwhile. */
  phase: 'header' | 'download' | 'weights' | 'ready';
  loadedBytes: number;
  /** Undefined until the header is read. */
  totalBytes: number | undefined;
}

export interface LoadOptions extends Omit<OpenOptions, 'signal'> {
  /** Tokens that a session holds, prompt and answer. Default: what the model was trained for, at most 4096. */
  contextLength?: number;
  /** Type of cached keys and values. Default "f16". */
  kv?: KvType;
  /**
   * How embedding and head are held: "stored" as the file has them, "int8" with a scale per row. Default "auto": int8
   * where the head is stored in 16 bits or more and has more than 2^24 weights.
   */
  head?: 'auto' | HeadType;
  /**
   * What ternary and binary weights are multiplied with. Default "auto": "int8" (a scale per token) for models that
   * were trained so (BitNet), else "int16" (two int8 digits, a scale per block: logits within 5e-5 of float). "float"
   * is as exact as f32. "int8" for models trained with floats has a scale per block.
   */
  activations?: 'auto' | 'int8' | 'int16' | 'float';
  /**
   * Threads, this one included. Default: the processors, at most 8; 1 where memory cannot be shared; and single tokens of
   * models with less than 32 MB of weights are one thread's.
   */
  threads?: number;
  /** Sessions that may be open at once. Default 4; each beyond the first takes its memory when it is opened. */
  sessions?: number;
  /** Tokens that prefill computes at once, a multiple of 16. Default 128. */
  chunkTokens?: number;
  /** Forces a build; default: the best that this engine runs. */
  variant?: Variant;
  /** Forces the kernel for single tokens; default: the fastest here. Every kernel gives the same bits. */
  kernel?: RowKernel;
  /**
   * Node 24 and later: turns on V8's experimental revectorizer, which pairs 128-bit operations into 256-bit ones where
   * the processor has them. Same bits. A flag of the whole process. Default false.
   */
  revectorize?: boolean;
  /**
   * Pages: the address of ternlight-worker.js (in the package "ternlight/worker"), on the page's own origin; where a
   * Content-Security-Policy forbids workers from blobs, they are started from there. Default: beside the module.
   */
  worker?: string | URL;
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
}

const DEFAULT_CONTEXT = 4096;
const DEFAULT_THREADS = 8;
const DEFAULT_SESSIONS = 4;
const DEFAULT_CHUNK = 128;

/** A header understood as a model: what load and inspect share. */
export interface Understood {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  readonly head: HeadType;
  readonly jobs: ReturnType<typeof packingJobs>;
  readonly options: { capacity: number; kv: KvType; activations: Activations; chunkTokens: number; sessions: number };
  readonly notes: string[];
}

export function understand(file: ModelFile, options: LoadOptions): Understood {
  const vocabSize = vocabSizeOf(file);
  const architecture = architectureById(file.metadata.string('general.architecture'));
  const config = architecture.config(file.metadata, {
    vocabSize,
    encodings: new Set(file.tensors.map((t) => t.encoding.name)),
  });
  const head = chooseHead(file, options.head);
  const jobs = packingJobs(file, architecture.tensors(config), head);
  const notes: string[] = [];
  const capacity = integer(
    'contextLength',
    options.contextLength,
    config.recurrent ? config.contextLength : Math.min(config.contextLength, DEFAULT_CONTEXT),
    1,
    2 ** 24,
  );
  if (capacity > config.contextLength)
    notes.push(`context of ${capacity} tokens; the model was trained with ${config.contextLength}`);
  const kv = options.kv ?? 'f16';
  if (!['f16', 'f32', 'i8', 'i4'].includes(kv))
    throw new TernlightError('invalid-option', `options: kv is "${kv}", expected "f16", "f32", "i8" or "i4"`);
  const activations = chooseActivations(config, options.activations);
  const chunk = integer('chunkTokens', options.chunkTokens, DEFAULT_CHUNK, 16, 4096);
  if (chunk % 16 !== 0)
    throw new TernlightError('invalid-option', `options: chunkTokens is ${chunk}, expected a multiple of 16`);
  const chunkTokens = Math.min(chunk, roundUp(capacity, 16));
  const sessions = integer('sessions', options.sessions, DEFAULT_SESSIONS, 1, 1024);
  return { architecture, config, head, jobs, options: { capacity, kv, activations, chunkTokens, sessions }, notes };
}

function chooseActivations(config: ModelConfig, wanted: LoadOptions['activations'] = 'auto'): Activations {
  if (wanted === 'auto') return config.activations === 'int8' ? 'int8' : 'int16';
  if (wanted === 'float' || wanted === 'int16') return wanted;
  if (wanted === 'int8') return config.activations === 'int8' ? 'int8' : 'int8-blocks';
  throw new TernlightError(
    'invalid-option',
    `options: activations is "${wanted}", expected "auto", "int8", "int16" or "float"`,
  );
}

function integer(name: string, value: number | undefined, fallback: number, min: number, max: number): number {
  if (value === undefined) return fallback;
  if (!Number.isInteger(value) || value < min || value > max)
    throw new TernlightError(
      'invalid-option',
      `options: ${name} is ${value}, expected an integer from ${min} to ${max}`,
    );
  return value;
}

/** How many threads run, and why not more. */
export function chooseThreads(options: LoadOptions, platform: Platform): { threads: number; note?: string } {
  const wanted = integer('threads', options.threads, Math.min(platform.cores, DEFAULT_THREADS), 1, 64);
  if (wanted === 1) return { threads: 1 };
  if (options.variant && !hasThreads(options.variant))
    return { threads: 1, note: `build "${options.variant}" has one thread` };
  if (!canShareMemory())
    return { threads: 1, note: 'one thread: memory cannot be shared here (the page is not cross-origin isolated)' };
  if (!platform.mayBlock) return { threads: 1, note: "one thread: the page's own thread may not wait" };
  return { threads: wanted };
}
