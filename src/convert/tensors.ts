// Which tensors the new file has and in which encoding, decided and checked from the old header alone.

import { TernlightError } from '../errors.ts';
import { encodingByName } from '../formats/encodings/index.ts';
import type { TensorPlan } from '../formats/gguf-write.ts';
import type { DenseEncoding, Encoding, ModelFile, TensorInfo, TernaryEncoding } from '../formats/types.ts';
import { type ConvertOptions, embeddingTargets } from './options.ts';

/** A tensor of the old file on its way into the new one. */
export interface TensorJob extends TensorPlan {
  readonly info: TensorInfo;
  readonly encoding: TernaryEncoding | DenseEncoding;
  /** Elements of a row. */
  readonly cols: number;
  /** A separate `.scale` tensor, which is multiplied in. */
  readonly factor: TensorInfo | undefined;
}

/** In the order of the file. Throws 'unsupported' with the tensor's name and the cure where one does not fit. */
export function tensorJobs(
  file: ModelFile,
  options: Required<Pick<ConvertOptions, 'ternary'>> & ConvertOptions,
): TensorJob[] {
  const matrices = new Set(file.tensors.map(({ name }) => name));
  const factors = new Map<string, TensorInfo>();
  for (const info of file.tensors) {
    const matrix = info.name.replace(/\.scale$/, '.weight');
    if (matrix !== info.name && elements(info) === 1 && matrices.has(matrix)) factors.set(matrix, info);
  }
  const dropped = new Set(factors.values());
  const kept = file.tensors.filter((info) => !dropped.has(info));
  if (!kept.some((info) => isLowBit(info) && !isLookedUp(info))) {
    throw new TernlightError(
      'unsupported',
      `convert: ${file.source.name} has no ternary or 1-bit matrix, expected a model with some`,
    );
  }
  return kept.map((info) => {
    const encoding = targetOf(info, options);
    const cols = info.dims[0]!;
    checkFit(info, encoding, cols);
    return { name: info.name, dims: info.dims, info, encoding, cols, factor: factors.get(info.name) };
  });
}

function targetOf(info: TensorInfo, { ternary, embedding }: ConvertOptions): TernaryEncoding | DenseEncoding {
  if (isLookedUp(info)) {
    const own = (embeddingTargets as readonly string[]).includes(info.encoding.name) ? info.encoding.name : 'F16';
    return named(embedding ?? own) as DenseEncoding;
  }
  if (isLowBit(info)) return named(ternary!) as TernaryEncoding;
  const isMatrix = info.dims.filter((dim) => dim > 1).length === 2;
  return named(isMatrix ? 'F16' : 'F32') as DenseEncoding;
}

function checkFit(info: TensorInfo, { name, blockElems, family }: Encoding, cols: number): void {
  const flat = name === 'I2_S'; // its blocks run on over the rows
  const run = flat ? elements(info) : cols;
  if (run % blockElems === 0) return;
  const cure =
    family === 'dense'
      ? `use --embedding ${cols % 32 === 0 && name !== 'Q8_0' ? 'Q8_0 or F16' : 'F16'}`
      : flat || elements(info) % 128 !== 0
        ? 'no encoding that other engines read holds it: keep the file as it is'
        : 'use --ternary I2_S, which has one scale for the tensor';
  throw new TernlightError(
    'unsupported',
    `convert: ${info.name} has ${flat ? `${run} elements` : `rows of ${run}`}, expected a multiple of ${blockElems} for ${name}; ${cure}`,
  );
}

/** Embedding and head: a row of them is looked up, or all of them multiply a token's floats. */
function isLookedUp({ name }: TensorInfo): boolean {
  return name === 'token_embd.weight' || name === 'output.weight';
}

function isLowBit({ encoding }: TensorInfo): boolean {
  return encoding.family !== 'dense';
}

function elements({ dims }: TensorInfo): number {
  return dims.reduce((product, dim) => product * dim, 1);
}

function named(name: string): Encoding {
  const encoding = encodingByName(name);
  if (encoding) return encoding;
  throw new TernlightError('internal', `convert: no encoding ${name}`);
}
