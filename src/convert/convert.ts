// From a model file to the bytes of a GGUF v3 that other engines read: mainline llama.cpp (TQ types) or bitnet.cpp
// (I2_S). The model is never in memory: rows go through, a few MB at a time. The only file here that sees the others.

import type { Architecture } from '../arch/architecture.ts';
import { architectureById } from '../arch/index.ts';
import { TernlightError } from '../errors.ts';
import { ggufHeader, type MetadataItem } from '../formats/gguf-write.ts';
import type { Encoding, ModelFile } from '../formats/types.ts';
import { convertedMetadata } from './metadata.ts';
import { type Conversion, type ConvertOptions, embeddingTargets, ternaryTargets } from './options.ts';
import { Rounding } from './scales.ts';
import { TensorConverter } from './tensor-converter.ts';
import { type TensorJob, tensorJobs } from './tensors.ts';

/** No other program reads these as GGUF. */
const ownFormats: readonly string[] = ['bitmamba2'];

/**
 * Checks what the header tells and gives the new file as pieces; the weights are read as the pieces are asked for, from
 * a source with random access.
 *
 * Ternary and 1-bit matrices become `options.ternary`, embedding and head `options.embedding`, other matrices F16,
 * vectors F32. Codes stay; scales are rounded only where TQ types hold them in f16 (`scaleRounding` tells).
 *
 * Throws TernlightError: 'invalid-option', 'unsupported' where a tensor does not fit the encoding; `pieces` throws
 * 'unsupported' for scales that the encoding cannot hold, 'invalid-file' for damaged data, 'io', the signal's reason.
 */
export function convertModel(file: ModelFile, options: ConvertOptions = {}): Conversion {
  const { ternary = 'TQ2_0', embedding, signal, onProgress } = options;
  check('ternary', ternary, ternaryTargets);
  if (embedding !== undefined) check('embedding', embedding, embeddingTargets);
  const architecture = architectureById(file.metadata.string('general.architecture'));
  if (architecture.ids.some((id) => ownFormats.includes(id)))
    throw new TernlightError(
      'unsupported',
      `convert: no program reads ${architecture.ids[0]} as GGUF, expected a transformer; keep the file as it is`,
    );
  const jobs = tensorJobs(file, { ...options, ternary });
  const notes: string[] = [];
  const metadata = convertedMetadata(file.metadata, ternary, notes);
  keepActivations(file, architecture, jobs, metadata, notes);
  const header = ggufHeader(metadata, jobs);
  const factors = jobs.filter(({ factor }) => factor).length;
  if (factors > 0) notes.push(`${factors} separate scales are multiplied into their matrices`);
  const rounding = new Rounding();
  return {
    fileBytes: header.fileBytes,
    tensors: jobs.map(({ name, info, encoding }, i) => ({
      ...{ name, from: info.encoding.name, to: encoding.name, bytes: header.tensorBytes[i]! },
    })),
    notes,
    pieces: pieces(),
    get scaleRounding() {
      return rounding.worst;
    },
  };

  async function* pieces(): AsyncGenerator<Uint8Array> {
    let done = 0;
    const count = (piece: Uint8Array) => {
      done += piece.length;
      onProgress?.(done, header.fileBytes);
      return piece;
    };
    yield count(header.bytes);
    for (const [i, job] of jobs.entries()) {
      const start = done;
      const converter = new TensorConverter(file.source, job, rounding);
      for await (const piece of converter.bytes(signal)) yield count(piece);
      const end = header.tensorOffsetsBytes[i]! + header.tensorBytes[i]!;
      if (start !== header.tensorOffsetsBytes[i] || done !== end)
        throw new TernlightError('internal', `convert: ${job.name} went from ${start} to ${done}, expected to ${end}`);
      const padding = (header.tensorOffsetsBytes[i + 1] ?? header.fileBytes) - done;
      if (padding > 0) yield count(new Uint8Array(padding));
    }
  }
}

/** Where an architecture goes by the encoding to tell how a model was trained, a key tells it from now on. */
function keepActivations(
  { metadata, tensors }: ModelFile,
  architecture: Architecture,
  jobs: readonly TensorJob[],
  items: MetadataItem[],
  notes: string[],
): void {
  const vocabSize = tensors.find(({ name }) => name === 'token_embd.weight')?.dims[1] ?? 0;
  const trained = (encodings: readonly Encoding[]) =>
    architecture.config(metadata, { vocabSize, encodings: new Set(encodings.map(({ name }) => name)) }).activations;
  const before = trained(tensors.map(({ encoding }) => encoding));
  if (before === trained(jobs.map(({ encoding }) => encoding))) return;
  items.push(['ternlight.activations', 'string', before]);
  notes.push(`the key ternlight.activations says that activations are ${before}, which the encoding no longer does`);
}

function check(name: string, value: string, choices: readonly string[]): void {
  if (choices.includes(value)) return;
  throw new TernlightError(
    'invalid-option',
    `convert: ${name} is "${value}", expected ${choices.join(', ').replace(/, ([^,]*)$/, ' or $1')}`,
  );
}
