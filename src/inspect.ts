// What a file holds and what memory it would need, from its header alone.
import type { ModelConfig } from './arch/architecture.ts';
import { TernlightError } from './errors.ts';
import { readTokenizer } from './formats/model-file.ts';
import type { ModelFile } from './formats/types.ts';
import { type ModelSource, openModel, openSource } from './open.ts';
import type { Platform } from './platform/platform.ts';
import { HEAP_BASE, type MemoryPlan, planMemory } from './runtime/memory-plan.ts';
import { countParameters, type HeadType } from './runtime/packing.ts';
import { createTokenizer } from './tokenizer/index.ts';
import type { Tokenizer } from './tokenizer/types.ts';
import { chooseThreads, type LoadOptions, type Understood, understand } from './understand.ts';

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
  const opened = await openModel(source, platform, options);
  try {
    const { file, notes } = opened;
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
      name: file.metadata.string('general.name') ?? opened.name,
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
          HEAP_BASE,
        ),
      notes,
    };
  } finally {
    await opened.close();
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
  options: Pick<LoadOptions, 'signal' | 'hub' | 'cache'> = {},
): Promise<Tokenizer> {
  return createTokenizer(await readTokenizer(await openSource(source, platform, options), options.signal));
}
