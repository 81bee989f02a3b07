// Which packing each tensor of a file gets, and how large it becomes: decided from the header alone.
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import type { TensorSpec } from '../arch/architecture.ts';
import { TernlightError } from '../errors.ts';
import type { ModelFile, TensorInfo } from '../formats/types.ts';
import type { Weight } from '../plan/weights.ts';
import { roundUp } from '../plan/weights.ts';

/**
 * How dense embeddings and heads are held: as the file has them; as int8 with a scale per row; or the same numbers in two
 * planes, of which a step of generation reads one and a few rows of the other.
 */
export type HeadType = 'stored' | 'int8' | 'fast';

/** A tensor with its place in the model and the packing chosen for it. */
export interface PackingJob {
  readonly info: TensorInfo;
  readonly spec: TensorSpec;
  readonly kind: Weight['kind'];
  /** Bytes of packed weights, and of scales at most (a file with one scale per row needs fewer). */
  readonly weightBytes: number;
  readonly scaleBytes: number;
}

/** A head this large, stored in 16 bits or more, is held as int8 unless the user says otherwise. */
const LARGE_HEAD_WEIGHTS = 2 ** 24;

export function chooseHead(file: ModelFile, wanted: 'auto' | HeadType | undefined): HeadType {
  if (wanted === 'stored' || wanted === 'int8' || wanted === 'fast') return wanted;
  if (wanted !== undefined && wanted !== 'auto')
    throw new TernlightError(
      'invalid-option',
      `options: head is "${wanted}", expected "auto", "stored", "int8" or "fast"`,
    );
  const head =
    file.tensors.find((t) => t.name === 'output.weight') ?? file.tensors.find((t) => t.name === 'token_embd.weight');
  if (!head) return 'stored';
  const { encoding } = head;
  const wide = encoding.family === 'dense' && encoding.blockElems === 1;
  return wide && product(head.dims) > LARGE_HEAD_WEIGHTS ? 'int8' : 'stored';
}

/** Pairs the file's tensors with the architecture's table; every difference is an error that names the tensor. */
export function packingJobs(file: ModelFile, specs: readonly TensorSpec[], head: HeadType): PackingJob[] {
  const byName = new Map(specs.map((spec) => [spec.name, spec]));
  const jobs = file.tensors.map((info) => {
    const spec = byName.get(info.name);
    if (!spec)
      throw new TernlightError(
        'unsupported',
        `model: tensor ${info.name} is not part of this architecture; the file is of another kind`,
      );
    byName.delete(info.name);
    if (
      info.dims.length > spec.dims.length
        ? info.dims.slice(spec.dims.length).some((d) => d !== 1)
        : info.dims.length < spec.dims.length
    )
      throw wrongShape(info, spec);
    if (spec.dims.some((d, i) => d !== info.dims[i])) throw wrongShape(info, spec);
    return job(info, spec, head);
  });
  for (const spec of byName.values())
    if (!spec.optional)
      throw new TernlightError(
        'invalid-file',
        `model: tensor ${spec.name} is missing, expected shape [${spec.dims.join(', ')}]`,
      );
  return jobs;
}

function wrongShape(info: TensorInfo, spec: TensorSpec): TernlightError {
  return new TernlightError(
    'invalid-file',
    `model: ${info.name} has shape [${info.dims.join(', ')}], expected [${spec.dims.join(', ')}]`,
  );
}

function job(info: TensorInfo, spec: TensorSpec, head: HeadType): PackingJob {
  const [cols = 1, rows = 1] = spec.dims;
  const { encoding } = info;
  const make = (kind: Weight['kind'], weightBytes: number, scaleBytes = 0): PackingJob => ({
    info,
    spec,
    kind,
    weightBytes,
    scaleBytes,
  });
  if (spec.dims.length === 1) {
    if (encoding.family !== 'dense')
      throw new TernlightError('invalid-file', `model: ${info.name} is ${encoding.name}, expected numbers`);
    return make('vector', 4 * cols);
  }
  if (cols % 4 !== 0)
    throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns, expected a multiple of 4`);
  const paddedCols = roundUp(cols, COLS_ALIGN);
  const paddedRows = roundUp(rows, BLOCK_ROWS);
  if (encoding.family !== 'dense') {
    const group = encoding.scaleElems === 'tensor' ? cols : encoding.scaleElems;
    const blocks = paddedRows * Math.ceil(cols / group);
    if (encoding.family === 'ternary') return make('ternary', (paddedRows * paddedCols) / 4, 4 * blocks);
    return make('binary', (paddedRows * paddedCols) / 8, 2 * blocks);
  }
  const lookedUp = spec.role === 'embedding' || spec.role === 'head';
  if (lookedUp && head !== 'stored')
    return make(head === 'fast' ? 'i8planes' : 'i8row', paddedRows * paddedCols, 4 * paddedRows);
  if (encoding.i8ScaleElems) return make('i8block', rows * cols, (4 * rows * cols) / encoding.i8ScaleElems);
  if (encoding.name === 'F16') return make('f16', 2 * rows * cols);
  return make('f32', 4 * rows * cols);
}

export function product(dims: readonly number[]): number {
  return dims.reduce((a, b) => a * b, 1);
}

/** Parameters of a model by its table: all, and those of ternary and binary matrices. */
export function countParameters(file: ModelFile): { parameters: number; ternaryParameters: number } {
  let parameters = 0;
  let ternaryParameters = 0;
  for (const { dims, encoding } of file.tensors) {
    const n = product(dims);
    parameters += n;
    if (encoding.family !== 'dense') ternaryParameters += n;
  }
  return { parameters, ternaryParameters };
}

/** A model's vocabulary is what its embedding has rows for; the token list may be longer or shorter. */
export function vocabSizeOf(file: ModelFile): number {
  const embedding = file.tensors.find((t) => t.name === 'token_embd.weight');
  if (!embedding)
    throw new TernlightError(
      'invalid-file',
      'model: tensor token_embd.weight is missing; a vocabulary-only file can only tokenize',
    );
  return embedding.dims[1] ?? 0;
}
