// Any model file or repository, whatever its format, as a ModelFile: looks at the first bytes and asks who reads them.
import { TernlightError } from '../errors.ts';
import { extras } from '../load-extras.ts';
import type { I2sLayout } from './encodings/index.ts';
import { readGguf } from './gguf.ts';
import { withParts } from './gguf-split.ts';
import { identifyI2s, withI2sLayout } from './i2s-layout.ts';
import { overlay } from './metadata.ts';
import { isBitmamba, isReversedBitmamba, isSafetensors } from './sniff.ts';
import type { ByteSource, FileSet, Metadata, ModelFile } from './types.ts';

/** A file, with what stands beside it where that can be asked for; or files alone: a folder, a repository. */
export interface Opened {
  readonly source?: ByteSource;
  readonly files?: FileSet;
}

export interface ReadOptions {
  signal?: AbortSignal;
  /** A tokenizer in place of the file's own. */
  tokenizer?: Opened;
  /** Order of the codes in I2_S tensors. Default "auto": found out where a file's dead channels tell, else "x86". */
  i2sLayout?: 'auto' | I2sLayout;
  /** Told the header before any weight is read, for which much may have to be downloaded first. What it throws ends it. */
  onHeader?: (file: ModelFile) => void;
}

/** A file that has been read as far as its header, and what there is to say about it. */
export interface ReadModel {
  readonly file: ModelFile;
  readonly notes: string[];
}

/** Reads the header. Throws as the format's reader does; the caller closes file.source. */
export async function readModelFile(opened: Opened, options: ReadOptions = {}): Promise<ReadModel> {
  const { signal } = options;
  const notes: string[] = [];
  let file = await readHeader(opened, signal);
  const tokenizer = options.tokenizer
    ? await readTokenizer(options.tokenizer, signal)
    : await tokenizerBeside(opened, file, signal);
  if (tokenizer) {
    file = { ...file, metadata: overlay(file.metadata, tokenizer, 'tokenizer.') };
    const note = tokenizer.string('ternlight.note');
    if (note) notes.push(note);
  }
  const { i2sLayout = 'auto', onHeader } = options;
  onHeader?.(file);
  if (i2sLayout !== 'auto') file = withI2sLayout(file, i2sLayout);
  else {
    const identity = await identifyI2s(file, signal);
    if (identity?.sure && identity.layout !== 'x86') {
      file = withI2sLayout(file, identity.layout);
      notes.push(`I2_S codes in the order "${identity.layout}": ${identity.why}`);
    }
  }
  return { file, notes };
}

async function readHeader({ source, files }: Opened, signal: AbortSignal | undefined): Promise<ModelFile> {
  if (!source) {
    if (!files) throw new TernlightError('internal', 'source: neither a file nor files');
    return (await extras()).readRepository(files, signal);
  }
  const start = await firstBytes(source, signal);
  if (isBitmamba(start) || isReversedBitmamba(start)) return (await extras()).readBitmamba(source, signal);
  if (isSafetensors(start)) {
    if (!files)
      throw new TernlightError(
        'unsupported',
        `source: ${source.name} is a safetensors file without its repository; give the folder or address that has config.json too`,
      );
    await source.close();
    return (await extras()).readRepository(files, signal);
  }
  return withParts(await readGguf(source, signal, true), files, signal);
}

/** Some bytes, fewer at the end of a short file. */
async function firstBytes(source: ByteSource, signal: AbortSignal | undefined): Promise<Uint8Array> {
  for (const count of [16, 4]) {
    if (source.byteLength !== undefined && source.byteLength < count) continue;
    try {
      return await source.read(0, count, signal);
    } catch (error) {
      // A stream learns only now that it is shorter.
      if (!(error instanceof TernlightError && error.code === 'invalid-file')) throw error;
    }
  }
  return new Uint8Array(0);
}

/** BitMamba files name no tokenizer: it is looked for beside them. */
async function tokenizerBeside(
  { files }: Opened,
  file: ModelFile,
  signal: AbortSignal | undefined,
): Promise<Metadata | undefined> {
  if (!files || file.metadata.string('general.architecture') !== 'bitmamba2') return undefined;
  const bin = await files.open('tokenizer.bin', signal);
  const { readTokenizerBin, readRepositoryTokenizer } = await extras();
  return bin ? closing(bin, readTokenizerBin(bin, signal)) : readRepositoryTokenizer(files, signal);
}

/** The keys tokenizer.* of a GGUF file, a tokenizer.bin, or the repository that a tokenizer.json stands in. */
export async function readTokenizer({ source, files }: Opened, signal?: AbortSignal): Promise<Metadata> {
  if (source) {
    const start = await firstBytes(source, signal);
    const text = String.fromCharCode(...start);
    if (text.startsWith('GGUF'))
      return closing(
        source,
        readGguf(source, signal).then(({ metadata }) => metadata),
      );
    if (!/^\s*\{/.test(text)) return closing(source, (await extras()).readTokenizerBin(source, signal));
    await source.close();
  }
  const found = files && (await (await extras()).readRepositoryTokenizer(files, signal));
  if (found) return found;
  throw new TernlightError(
    'invalid-file',
    `tokenizer: ${source?.name ?? files?.name} is none, expected a GGUF file, a tokenizer.json or a tokenizer.bin`,
  );
}

async function closing<T>(source: ByteSource, result: Promise<T>): Promise<T> {
  try {
    return await result;
  } finally {
    await source.close();
  }
}
