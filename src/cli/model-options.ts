// The options of every command that runs a model, and the model they ask for.
import { type LoadOptions, load, type Model } from '../index.ts';
import type { KvType, RowKernel } from '../plan/types.ts';
import type { Variant } from '../runtime/variant.ts';
import type { Context } from './command.ts';
import { print } from './io.ts';
import { type Options, UsageError, type Values } from './options.ts';
import { Progress } from './progress.ts';
import { bytes, dim, printable } from './text.ts';

export const cacheOptions = {
  offline: { type: 'flag', help: 'only what is kept on this machine; no request at all' },
  'no-cache': { type: 'flag', help: 'neither look for what is kept nor keep anything' },
  refresh: { type: 'flag', help: 'ask whether what is kept has changed, and download it anew then' },
  sha256: { type: 'text', value: 'HEX', help: 'what the SHA-256 of the file at the address has to be' },
} as const satisfies Options;

const { sha256: _, refresh: __, ...keptOptions } = cacheOptions;

export const sourceOptions = {
  model: {
    type: 'text',
    short: 'm',
    value: 'FILE',
    help: 'path or http(s) address of a GGUF or BitMamba file, or of a safetensors repository; hf:OWNER/REPO[/FILE][@REVISION]; synthetic:NAME',
    otherwise: 'the one in the package',
  },
  tokenizer: {
    type: 'text',
    value: 'FILE',
    help: "a tokenizer in place of the model's own: a GGUF file, tokenizer.json or tokenizer.bin",
  },
  ...keptOptions,
} as const satisfies Options;

export const modelOptions = {
  ...sourceOptions,
  ...cacheOptions,
  ctx: {
    type: 'integer',
    short: 'c',
    value: 'TOKENS',
    min: 1,
    max: 2 ** 24,
    help: 'context, prompt and answer',
    otherwise: "the model's, at most 4096",
  },
  kv: {
    type: 'choice',
    choices: ['f16', 'f32', 'i8', 'i4'] satisfies KvType[],
    help: 'type of cached keys and values',
    otherwise: 'f16',
  },
  activations: {
    type: 'choice',
    choices: ['auto', 'int8', 'int16', 'float'] satisfies LoadOptions['activations'][],
    help: 'what ternary and binary weights are multiplied with',
    otherwise: 'auto: as the model was trained',
  },
  'i2s-layout': {
    type: 'choice',
    choices: ['auto', 'x86', 'arm', 'rows4'] satisfies LoadOptions['i2sLayout'][],
    help: 'advanced: order of the codes in I2_S tensors',
    otherwise: 'auto: found out where the file tells, else x86',
  },
  head: {
    type: 'choice',
    choices: ['auto', 'stored', 'int8', 'fast'] satisfies LoadOptions['head'][],
    help: 'how embedding and head are held; fast: int8 of which a token reads half',
    otherwise: 'auto: int8 where they are large and 16 bits',
  },
  threads: {
    type: 'integer',
    short: 't',
    value: 'N',
    min: 1,
    max: 64,
    help: 'threads',
    otherwise: 'the cores that help, at most 8',
  },
  variant: {
    type: 'choice',
    choices: ['simd', 'relaxed', 'simd-threads', 'relaxed-threads'] satisfies Variant[],
    help: 'advanced: which build',
    otherwise: 'the best that runs here',
  },
  kernel: {
    type: 'choice',
    choices: ['dot', 'paired', 'i16', 'wide'] satisfies RowKernel[],
    help: 'advanced: which kernel multiplies single tokens',
    otherwise: 'the fastest here',
  },
  revectorize: { type: 'flag', help: "advanced: V8's experimental 256-bit pairing (Node 24 and later)" },
} as const satisfies Options;

export type ModelValues = Partial<Values<typeof modelOptions>>;

/** As `cache` of load. Throws UsageError for contradictions. */
export function cacheMode(values: Partial<Values<typeof cacheOptions>>): LoadOptions['cache'] {
  const modes = [
    ['offline', 'offline'],
    ['no-cache', false],
    ['refresh', 'refresh'],
  ] as const;
  const [first, second] = modes.filter(([name]) => values[name]);
  if (first && second) throw new UsageError(`--${second[0]}: got --${first[0]} too, expected one of them`);
  return first?.[1];
}

export function loadOptions(values: ModelValues): LoadOptions {
  const {
    ctx,
    kv,
    head,
    threads,
    variant,
    kernel,
    activations,
    tokenizer,
    'i2s-layout': i2sLayout,
    revectorize,
    sha256,
  } = values;
  // Commands hold one conversation: memory for more is not even reserved.
  return {
    contextLength: ctx,
    kv,
    head,
    threads,
    variant,
    kernel,
    activations,
    tokenizer,
    i2sLayout,
    revectorize,
    cache: cacheMode(values),
    sha256,
    sessions: 1,
  };
}

/** Loads the model, tells what is unusual about it, and disposes of it when `use` is done. */
export async function withModel<T>(
  { io, interrupt }: Context,
  values: ModelValues & { json: boolean },
  use: (model: Model) => Promise<T>,
): Promise<T> {
  const progress = new Progress(io.stderr);
  let model: Model;
  try {
    model = await load(values.model, {
      ...loadOptions(values),
      signal: interrupt.signal,
      onProgress: ({ phase, loadedBytes, totalBytes }) => {
        const label = phase === 'download' ? 'downloading' : 'loading';
        if (totalBytes !== undefined) progress.show(label, loadedBytes, totalBytes, ` of ${bytes(totalBytes)}`);
      },
    });
  } finally {
    progress.clear();
  }
  try {
    const { notes, threadsNote } = model.info;
    if (!values.json)
      for (const note of [...notes, ...(threadsNote ? [threadsNote] : [])])
        await print(io.stderr, `${dim(io, io.stderr, `note: ${printable(note)}`)}\n`);
    return await use(model);
  } finally {
    await model.dispose();
  }
}

/** Refuses ids that are no tokens. */
export function checkIds(ids: readonly number[], vocabSize: number): void {
  const wrong = ids.find((id) => id >= vocabSize);
  if (wrong !== undefined)
    throw new UsageError(`--ids: got ${wrong}, expected ids from 0 to ${vocabSize - 1}, the model's vocabulary`);
}
