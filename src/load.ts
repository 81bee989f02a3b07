// From a source to a model: the only file that sees formats, architectures, memory and generation together.
import type { Architecture, ModelConfig } from './arch/architecture.ts';
import { architectureById } from './arch/index.ts';
import { TernlightError } from './errors.ts';
import { readGguf } from './formats/gguf.ts';
import { blobSource, bytesSource, streamSource, urlSource } from './formats/source.ts';
import { type SyntheticName, syntheticModel, syntheticNames } from './formats/synthetic.ts';
import type { ByteSource, ModelFile } from './formats/types.ts';
import { LocalModel } from './generate/model.ts';
import type { KvType, RowKernel } from './plan/builder.ts';
import { roundUp } from './plan/weights.ts';
import type { Platform } from './platform/platform.ts';
import { Engine, type EngineSetup } from './runtime/engine.ts';
import { type MemoryPlan, planMemory } from './runtime/memory-plan.ts';
import { chooseHead, countParameters, type HeadType, packingJobs, vocabSizeOf } from './runtime/packing.ts';
import { canShareMemory, chooseVariant, hasThreads, type Variant } from './runtime/variant.ts';
import { createTokenizer } from './tokenizer/index.ts';
import type { Tokenizer } from './tokenizer/types.ts';

/** A path (Node, Deno, Bun), an http(s) address, "synthetic:NAME", or the bytes themselves. */
export type ModelSource = string | URL | Blob | ArrayBuffer | Uint8Array | ReadableStream<Uint8Array> | ByteSource;

export interface LoadProgress {
  phase: 'header' | 'weights' | 'ready';
  loadedBytes: number;
  /** Undefined until the header is read. */
  totalBytes: number | undefined;
}

export interface LoadOptions {
  /** Tokens that a session holds, prompt and answer. Default: what the model was trained for, at most 4096. */
  contextLength?: number;
  /** Type of cached keys and values. Default "f16". */
  kv?: KvType;
  /**
   * How embedding and head are held: "stored" as the file has them, "int8" with a scale per row. Default "auto": int8
   * where the head is stored in 16 bits or more and has more than 2^24 weights.
   */
  head?: 'auto' | HeadType;
  /** Threads, this one included. Default: the processors, at most 8; 1 where memory cannot be shared. */
  threads?: number;
  /** Sessions that may be open at once. Default 4; each beyond the first takes its memory when it is opened. */
  sessions?: number;
  /** Tokens that prefill computes at once, a multiple of 16. Default 128. */
  chunkTokens?: number;
  /** Forces a build; default: the best that this engine runs. */
  variant?: Variant;
  /** Forces the kernel for single tokens; default: the fastest here. Every kernel gives the same bits. */
  kernel?: RowKernel;
  signal?: AbortSignal;
  onProgress?: (progress: LoadProgress) => void;
}

const DEFAULT_CONTEXT = 4096;
const DEFAULT_THREADS = 8;
const DEFAULT_SESSIONS = 4;
const DEFAULT_CHUNK = 128;

export async function openSource(
  source: ModelSource,
  platform: Platform,
  options: { signal?: AbortSignal } = {},
): Promise<ByteSource> {
  if (typeof source === 'string' && source.startsWith('synthetic:')) {
    const name = source.slice('synthetic:'.length);
    if (!(syntheticNames as readonly string[]).includes(name))
      throw new TernlightError(
        'invalid-option',
        `source: no synthetic model "${name}", expected one of ${syntheticNames.join(', ')}`,
      );
    return syntheticModel(name as SyntheticName);
  }
  if (typeof source === 'string' || source instanceof URL) {
    const text = String(source);
    const isUrl = /^(https?|blob|data|capacitor|app|chrome-extension|moz-extension):/i.test(text);
    if (!isUrl && platform.openFile) return platform.openFile(text.startsWith('file:') ? filePath(text) : text);
    // In a page, everything else is an address relative to the page.
    const base = (globalThis as { location?: { href: string } }).location?.href;
    return urlSource(base === undefined ? text : new URL(text, base), { signal: options.signal });
  }
  if (source instanceof ArrayBuffer || source instanceof Uint8Array) return bytesSource(source);
  if (typeof Blob !== 'undefined' && source instanceof Blob) return blobSource(source);
  if (typeof ReadableStream !== 'undefined' && source instanceof ReadableStream) return streamSource(source);
  if (typeof (source as ByteSource | undefined)?.read === 'function') return source as ByteSource;
  throw new TernlightError(
    'invalid-option',
    `source: got ${describe(source)}, expected a path, URL, Blob, ArrayBuffer, stream or ByteSource`,
  );
}

function filePath(url: string): string {
  const path = decodeURIComponent(new URL(url).pathname);
  return /^\/[A-Za-z]:/.test(path) ? path.slice(1) : path;
}

function describe(value: unknown): string {
  return value === null ? 'null' : typeof value === 'object' ? (value.constructor?.name ?? 'an object') : typeof value;
}

/** A header understood as a model: what load and inspect share. */
interface Understood {
  readonly architecture: Architecture;
  readonly config: ModelConfig;
  readonly head: HeadType;
  readonly jobs: ReturnType<typeof packingJobs>;
  readonly options: { capacity: number; kv: KvType; chunkTokens: number; sessions: number };
  readonly notes: string[];
}

function understand(file: ModelFile, options: LoadOptions): Understood {
  const vocabSize = vocabSizeOf(file);
  const architecture = architectureById(file.metadata.string('general.architecture'));
  const config = architecture.config(file.metadata, vocabSize);
  const head = chooseHead(file, options.head);
  const jobs = packingJobs(file, architecture.tensors(config), head);
  const notes: string[] = [];
  const capacity = integer(
    'contextLength',
    options.contextLength,
    Math.min(config.contextLength, DEFAULT_CONTEXT),
    1,
    2 ** 20,
  );
  if (capacity > config.contextLength)
    notes.push(`context of ${capacity} tokens; the model was trained with ${config.contextLength}`);
  const kv = options.kv ?? 'f16';
  if (kv !== 'f16' && kv !== 'f32')
    throw new TernlightError(
      'invalid-option',
      `options: kv is "${kv}", expected "f32" or "f16"; int8 and int4 caches do not exist yet`,
    );
  const chunk = integer('chunkTokens', options.chunkTokens, DEFAULT_CHUNK, 16, 4096);
  if (chunk % 16 !== 0)
    throw new TernlightError('invalid-option', `options: chunkTokens is ${chunk}, expected a multiple of 16`);
  const chunkTokens = Math.min(chunk, roundUp(capacity, 16));
  const sessions = integer('sessions', options.sessions, DEFAULT_SESSIONS, 1, 1024);
  return { architecture, config, head, jobs, options: { capacity, kv, chunkTokens, sessions }, notes };
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
function chooseThreads(options: LoadOptions, platform: Platform): { threads: number; note?: string } {
  const wanted = integer('threads', options.threads, Math.min(platform.cores, DEFAULT_THREADS), 1, 64);
  if (wanted === 1) return { threads: 1 };
  if (options.variant && !hasThreads(options.variant))
    return { threads: 1, note: `build "${options.variant}" has one thread` };
  if (!canShareMemory())
    return { threads: 1, note: 'one thread: memory cannot be shared here (the page is not cross-origin isolated)' };
  if (!platform.mayBlock) return { threads: 1, note: "one thread: the page's own thread may not wait" };
  return { threads: wanted };
}

export async function loadModel(source: ModelSource, options: LoadOptions, platform: Platform): Promise<LocalModel> {
  const started = performance.now();
  const { signal, onProgress } = options;
  const bytes = await openSource(source, platform, { signal });
  try {
    onProgress?.({ phase: 'header', loadedBytes: 0, totalBytes: undefined });
    const file = await readGguf(bytes, signal);
    const understood = understand(file, options);
    const { config, head, notes } = understood;
    const tokenizer = createTokenizer(file.metadata);
    notes.push(...(tokenizer.notes ?? []));
    const { threads, note } = chooseThreads(options, platform);
    const variant = await chooseVariant(threads > 1, options.variant);
    const setup: EngineSetup = {
      ...understood.options,
      ...{
        platform,
        file,
        architecture: understood.architecture,
        config,
        jobs: understood.jobs,
        variant,
        threads,
        signal,
      },
      rowKernel: options.kernel,
      onProgress: (loadedBytes, totalBytes) => onProgress?.({ phase: 'weights', loadedBytes, totalBytes }),
    };
    const engine = await Engine.create(setup);
    const totalBytes = file.tensors.reduce((n, t) => n + t.lengthBytes, 0);
    onProgress?.({ phase: 'ready', loadedBytes: totalBytes, totalBytes });
    return new LocalModel(engine, tokenizer, file.metadata, {
      name: file.metadata.string('general.name') ?? bytes.name,
      format: file.format,
      architecture: config.architecture,
      ...countParameters(file),
      contextLength: engine.capacity,
      trainedContextLength: config.contextLength,
      vocabSize: config.vocabSize,
      layers: config.nLayers,
      dim: config.dim,
      runtime: platform.runtime,
      build: variant,
      kernels: { decode: engine.rowKernel, prefill: 'tiled' },
      threads,
      threadsNote: note,
      kv: understood.options.kv,
      head,
      memory: { ...engine.memoryPlan, weightsBytes: engine.weightsBytes },
      notes,
      loadMs: performance.now() - started,
    });
  } finally {
    await bytes.close();
  }
}

/** What a file is, from its header alone. */
export interface Inspection {
  format: string;
  name: string;
  architecture: string | undefined;
  /** Long lists are shortened to their length. */
  metadata: [key: string, value: string][];
  tensors: { name: string; dims: readonly number[]; encoding: string; bytes: number }[];
  parameters: number;
  ternaryParameters: number;
  /** Of all tensors in the file. */
  bytes: number;
  config: ModelConfig | undefined;
  head: HeadType | undefined;
  /** Undefined for a vocabulary-only file or an unknown architecture. */
  memory: MemoryPlan | undefined;
  notes: string[];
}

export async function inspectModel(source: ModelSource, options: LoadOptions, platform: Platform): Promise<Inspection> {
  const bytes = await openSource(source, platform, options);
  try {
    const file = await readGguf(bytes, options.signal);
    const notes: string[] = [];
    let understood: Understood | undefined;
    try {
      understood = file.tensors.length === 0 ? undefined : understand(file, options);
      notes.push(...(understood?.notes ?? []));
      if (file.metadata.has('tokenizer.ggml.model')) notes.push(...(createTokenizer(file.metadata).notes ?? []));
    } catch (error) {
      if (!(error instanceof TernlightError)) throw error;
      notes.push(error.message);
    }
    const threads = chooseThreads(options, platform).threads;
    return {
      format: file.format,
      name: file.metadata.string('general.name') ?? bytes.name,
      architecture: file.metadata.string('general.architecture'),
      metadata: file.metadata.keys.map((key) => [key, printable(file.metadata.raw(key))]),
      tensors: file.tensors.map(({ name, dims, encoding, lengthBytes }) => ({
        name,
        dims,
        encoding: encoding.name,
        bytes: lengthBytes,
      })),
      ...countParameters(file),
      bytes: file.tensors.reduce((n, t) => n + t.lengthBytes, 0),
      config: understood?.config,
      head: understood?.head,
      memory:
        understood &&
        planMemory(
          understood.jobs,
          understood.architecture,
          understood.config,
          { ...understood.options, threads },
          1024,
        ),
      notes,
    };
  } finally {
    await bytes.close();
  }
}

function printable(value: ReturnType<ModelFile['metadata']['raw']>): string {
  if (value === undefined) return '';
  if (typeof value !== 'object') return String(value);
  const items = Array.from({ length: Math.min(8, value.length) }, (_, i) =>
    'get' in value && typeof value.get === 'function'
      ? JSON.stringify(value.get(i))
      : String((value as ArrayLike<number>)[i]),
  );
  return `[${items.join(', ')}${value.length > 8 ? `, ... ${value.length} in all` : ''}]`;
}

/** The tokenizer of a file, vocabulary-only ones too: only its header is read. */
export async function loadTokenizerOf(
  source: ModelSource,
  platform: Platform,
  signal?: AbortSignal,
): Promise<Tokenizer> {
  const bytes = await openSource(source, platform, { signal });
  try {
    return createTokenizer((await readGguf(bytes, signal)).metadata);
  } finally {
    await bytes.close();
  }
}
