// A checkpoint's tensors -> the tensors of a GGUF file: which there are, what they are called, how their rows are made.
// Everything that is missing, surplus or of the wrong shape is an error that names the tensor.

import { TernlightError } from '../errors.ts';
import { ternaryGroup } from './hf-detect.ts';
import { FloatMatrix } from './hf-floats.ts';
import type { HfModel } from './hf-model.ts';
import { isIgnored, Names, type Place } from './hf-names.ts';
import { packedRows, type Repacked } from './hf-packed.ts';
import type { Quantization } from './hf-quantization.ts';
import { denseRows, masterRows, type Rows, ternaryRows, wideRows } from './hf-rows.ts';
import type { SafeTensor } from './safetensors.ts';
import { describe, quote } from './safetensors-text.ts';

export interface VirtualTensor {
  /** GGUF's. */
  readonly name: string;
  /** Fastest-varying first. */
  readonly dims: readonly number[];
  readonly rows: Rows;
}

/** In the order of the checkpoint, so that it is read forwards. */
export async function planTensors(
  tensors: readonly SafeTensor[],
  model: HfModel,
  quantization: Quantization,
  repacked: Repacked,
  signal?: AbortSignal,
): Promise<VirtualTensor[]> {
  const names = new Names(model);
  const placed = placeAll(tensors, model, names);
  const scales = await readScales(tensors, placed, quantization, signal);
  const out: VirtualTensor[] = [];
  for (const [tensor, place] of placed) {
    checkShape(tensor, place);
    const rows = await rowsOf(tensor, place, model, quantization, scales, repacked, signal);
    out.push({ name: place.ggufName, dims: [...place.shape].reverse(), rows });
  }
  return out;
}

function placeAll(tensors: readonly SafeTensor[], model: HfModel, names: Names): Map<SafeTensor, Place> {
  const placed = new Map<SafeTensor, Place>();
  const taken = new Map<string, string>();
  const packed = new Set(tensors.filter(({ dtype }) => dtype === 'U8').map(({ name }) => `${name}_scale`));
  const unknown: string[] = [];
  for (const tensor of tensors) {
    const { name } = tensor;
    if (isIgnored(name) || packed.has(name)) continue;
    // A tied head is the embedding, whatever else was saved with it.
    if (name === 'lm_head.weight' && model.tied) continue;
    const place = names.place(name);
    if (!place) {
      unknown.push(name);
      continue;
    }
    const other = taken.get(place.ggufName);
    if (other) throw invalid(`tensors ${quote(other)} and ${quote(name)} are the same layer`);
    taken.set(place.ggufName, name);
    placed.set(tensor, place);
  }
  if (unknown.length > 0) throw surplus(unknown, model);
  const missing = [...names.required()].filter(({ ggufName }) => !taken.has(ggufName)).map(({ name }) => name);
  if (missing.length > 0) throw invalid(`${listed(missing)} missing, expected in a model of ${model.nLayers} layers`);
  return placed;
}

function surplus(names: readonly string[], { architecture, nLayers }: HfModel): TernlightError {
  const scale = names.find((name) => name.endsWith('.weight_scale'));
  return new TernlightError(
    'unsupported',
    scale
      ? `repository: tensor ${quote(scale)} goes with no packed weight of dtype U8`
      : `repository: ${listed(names)} no part of a ${architecture} model of ${nLayers} layers; the checkpoint is of another kind`,
  );
}

/** "tensor x is", "tensors x, y and 7 more are" */
function listed(names: readonly string[]): string {
  if (names.length === 1) return `tensor ${quote(names[0]!)} is`;
  const rest = names.length - 3;
  return `tensors ${names.slice(0, 3).map(quote).join(', ')}${rest > 0 ? ` and ${rest} more` : ''} are`;
}

function checkShape({ name, dtype, shape }: SafeTensor, place: Place): void {
  const [rows, ...rest] = place.shape as [number];
  const expected = dtype === 'U8' && place.role === 'linear' ? [Math.ceil(rows / 4), ...rest] : place.shape;
  if (shape.length === expected.length && shape.every((dim, i) => dim === expected[i])) return;
  throw invalid(`tensor ${quote(name)} has ${dtype} ${describe(shape)}, expected ${describe(expected)} by config.json`);
}

async function rowsOf(
  tensor: SafeTensor,
  place: Place,
  model: HfModel,
  quantization: Quantization,
  scales: ReadonlyMap<SafeTensor, number>,
  repacked: Repacked,
  signal?: AbortSignal,
): Promise<Rows> {
  const scale = scales.get(tensor);
  if (scale !== undefined) return packedRows(tensor, place.shape[0]!, scale, repacked, place.headRows);
  const matrix = new FloatMatrix(tensor, place.headRows);
  if (place.role === 'norm') return wideRows(matrix);
  if (place.role === 'linear') {
    if (quantization.keeps(tensor.name.replace(/\.weight$/, ''))) return denseRows(matrix);
    if (quantization.floats === 'masters') return masterRows(matrix);
  } else if (model.architecture !== 'qwen3') return denseRows(matrix); // Bonsai's embedding is ternary too
  const group = await ternaryGroup(new FloatMatrix(tensor), signal);
  if (group !== undefined) return ternaryRows(matrix, group);
  return place.role === 'linear' && quantization.floats === 'ternary-or-masters'
    ? masterRows(matrix)
    : denseRows(matrix);
}

/** Of each packed tensor, what its codes are to be multiplied with. Read now: they stand together, and each is checked. */
async function readScales(
  tensors: readonly SafeTensor[],
  placed: ReadonlyMap<SafeTensor, Place>,
  quantization: Quantization,
  signal?: AbortSignal,
): Promise<Map<SafeTensor, number>> {
  const weights = new Map<string, SafeTensor>();
  for (const [tensor, { role }] of placed) {
    if (tensor.dtype === 'U8' && role === 'linear') weights.set(`${tensor.name}_scale`, tensor);
  }
  const scales = new Map<SafeTensor, number>();
  for (const tensor of tensors) {
    const weight = weights.get(tensor.name);
    if (weight) scales.set(weight, await readScale(tensor, quantization.scaleUse(weight.name) === 'divides', signal));
  }
  for (const [name, weight] of weights) {
    if (!scales.has(weight))
      throw invalid(`tensor ${quote(name)} is missing, expected with the packed ${quote(weight.name)}`);
  }
  return scales;
}

async function readScale(tensor: SafeTensor, divides: boolean, signal?: AbortSignal): Promise<number> {
  const { name, shape } = tensor;
  if (shape.length > 1 || (shape[0] ?? 1) !== 1) {
    throw new TernlightError(
      'unsupported',
      `repository: tensor ${quote(name)} has shape ${describe(shape)}, expected [1]`,
    );
  }
  const [scale] = await new FloatMatrix(tensor).numbers(0, 1, signal);
  const used = divides ? Math.fround(1 / scale!) : scale!;
  if (scale! > 0 && used > 0 && Number.isFinite(scale) && Number.isFinite(used)) return used;
  throw invalid(`tensor ${quote(name)} is ${scale}, expected a finite number above 0; the file is damaged`);
}

function invalid(text: string): TernlightError {
  return new TernlightError('invalid-file', `repository: ${text}`);
}
