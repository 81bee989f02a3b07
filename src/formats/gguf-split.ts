// A GGUF model in several files, as llama-gguf-split writes them: NAME-00001-of-00003.gguf has the metadata, each file
// some of the tensors. Together they look like one file.

import { TernlightError } from '../errors.ts';
import { readGguf } from './gguf.ts';
import { checkRange } from './range.ts';
import type { ByteSource, FileSet, ModelFile } from './types.ts';

/** The name of the first file; whoever has all of them begins with it. */
export const firstPart = /([^\\/]*)-00001-of-(\d{5})\.gguf$/;

/**
 * `first` itself, unless it is one of several; then all of them, the others from `files`, as one.
 * Throws as readGguf does, 'unsupported' where the others cannot be found by name; closes what it has opened then.
 */
export async function withParts(
  first: ModelFile,
  files: FileSet | undefined,
  signal: AbortSignal | undefined,
): Promise<ModelFile> {
  const count = first.metadata.integer('split.count') ?? 1;
  if (count <= 1) return first;
  const { name } = first.source;
  const [, stem, told] = firstPart.exec(/^\w+:\/\//.test(name) ? decodeURIComponent(name) : name) ?? [];
  if (!files || stem === undefined || Number(told) !== count) {
    throw new TernlightError(
      'unsupported',
      `gguf: ${name} is one of ${count} parts of a model, expected the first, -00001-of-${padded(count)}.gguf, with the others beside it; or join them with llama-gguf-split --merge`,
    );
  }
  const parts = [first];
  try {
    for (let number = 1; number < count; number++) {
      const path = `${stem}-${padded(number + 1)}-of-${padded(count)}.gguf`;
      const source = await files.open(path, signal);
      if (!source) throw invalid(`gguf: ${name} lacks its part ${path}; download it too`);
      const part = await readGguf(source, signal, true).catch(async (error) => {
        await source.close();
        throw error;
      });
      parts.push(part);
      const { metadata } = part;
      if (metadata.integer('split.no') !== number || metadata.integer('split.count') !== count)
        throw invalid(`gguf: ${source.name} does not say that it is part ${number + 1} of ${count}; download it again`);
    }
    return joined(parts);
  } catch (error) {
    for (const { source } of parts.slice(1)) await source.close();
    throw error;
  }
}

/** One file after the other. */
function joined(parts: readonly ModelFile[]): ModelFile {
  const [first] = parts as [ModelFile, ...ModelFile[]];
  const { name } = first.source;
  let byteLength = 0;
  const pieces: { start: number; end: number; source: ByteSource }[] = [];
  const tensors = parts.flatMap(({ source, tensors }) => {
    const start = byteLength;
    if (source.byteLength === undefined)
      throw new TernlightError('unsupported', `gguf: ${source.name} has no length; download it first`);
    byteLength += source.byteLength;
    pieces.push({ start, end: byteLength, source });
    return tensors.map((tensor) => ({ ...tensor, offsetBytes: start + tensor.offsetBytes }));
  });
  const told = first.metadata.integer('split.tensors.count') ?? tensors.length;
  if (told !== tensors.length)
    throw invalid(`gguf: ${name} and its parts have ${tensors.length} tensors, expected ${told}; download them again`);
  if (new Set(tensors.map((tensor) => tensor.name)).size !== told)
    throw invalid(`gguf: ${name}: a tensor is in two parts; download them again`);

  const source: ByteSource = {
    name,
    byteLength,
    get sequential() {
      return pieces.some((piece) => piece.source.sequential);
    },
    async read(offset, length, signal) {
      checkRange(name, byteLength, offset, length);
      const piece = pieces.find(({ start, end }) => offset >= start && offset + length <= end);
      if (!piece) throw new TernlightError('internal', `gguf: a read of ${length} bytes at ${offset} is of two files`);
      return piece.source.read(offset - piece.start, length, signal);
    },
    close: async () => void (await Promise.all(pieces.map((piece) => piece.source.close()))),
  };
  return { ...first, source, tensors };
}

function padded(number: number): string {
  return String(number).padStart(5, '0');
}

function invalid(text: string): TernlightError {
  return new TernlightError('invalid-file', text);
}
