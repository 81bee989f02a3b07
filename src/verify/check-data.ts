// All weights, once, rows at a time: codes that cannot be, scales and numbers that are infinite or none, scales that
// make weights vanish.

import { decodeLowBit } from '../convert/low-bit.ts';
import { naming, rowGroups, tensorScale } from '../convert/row-groups.ts';
import { TernlightError } from '../errors.ts';
import type { BinaryEncoding, DenseEncoding, ModelFile, TensorInfo, TernaryEncoding } from '../formats/types.ts';
import type { Findings } from './finding.ts';

export interface DataOptions {
  signal?: AbortSignal;
  /** Bytes of tensors that have been read, and all. */
  onProgress?: (doneBytes: number, totalBytes: number) => void;
}

/** What was counted in one tensor. */
interface Tally {
  weights: number;
  zeros: number;
  scales: number;
  zeroScales: number;
  negativeScales: number;
}

export interface DataReport {
  readonly bytes: number;
  /** Of the ternary weights, those that are 0; undefined where there are none. */
  readonly zeroShare: number | undefined;
}

/** Throws 'io' and the signal's reason; everything else is a finding. */
export async function checkData(
  file: ModelFile,
  findings: Findings,
  { signal, onProgress }: DataOptions = {},
): Promise<DataReport> {
  const total = file.tensors.reduce((sum, { lengthBytes }) => sum + lengthBytes, 0);
  const damaged = new Map<string, string[]>();
  const dead: string[] = [];
  const negative: string[] = [];
  const partly: string[] = [];
  let [bytes, ternary, zeros] = [0, 0, 0];
  for (const info of file.tensors) {
    const progress = (read: number) => onProgress?.(bytes + Math.min(read, info.lengthBytes), total);
    try {
      const tally = await tallyOf(file, info, signal, progress);
      if (info.encoding.family === 'ternary') {
        ternary += tally.weights;
        zeros += tally.zeros;
      }
      const needsWeights = info.dims.length > 1 || /norm/.test(info.name);
      if (needsWeights && tally.zeros === tally.weights) dead.push(info.name);
      else if (tally.scales > 0 && tally.zeroScales === tally.scales) dead.push(info.name);
      else if (tally.zeroScales > 0) partly.push(info.name);
      if (tally.negativeScales > 0) negative.push(info.name);
    } catch (error) {
      if (!(error instanceof TernlightError) || error.code !== 'invalid-file') throw error;
      const what = error.message.replace(`model: ${info.name}: `, '').replace(`${info.name} `, '');
      damaged.set(what, [...(damaged.get(what) ?? []), info.name]);
    }
    bytes += info.lengthBytes;
    onProgress?.(bytes, total);
  }
  for (const [what, names] of damaged) findings.tensors('error', names, what);
  findings.tensors('warning', dead, 'all weights are 0', 'download the file again, or convert the model anew');
  findings.tensors('warning', partly, 'some scales are 0 although their codes are not: those weights are lost');
  findings.tensors('warning', negative, 'some scales are below 0, which no known writer makes');
  return { bytes, zeroShare: ternary > 0 ? zeros / ternary : undefined };
}

async function tallyOf(
  { source }: ModelFile,
  info: TensorInfo,
  signal: AbortSignal | undefined,
  onRead: (bytes: number) => void,
): Promise<Tally> {
  const { encoding } = info;
  const tally: Tally = { weights: 0, zeros: 0, scales: 0, zeroScales: 0, negativeScales: 0 };
  const perTensor = encoding.family === 'ternary' && encoding.scaleElems === 'tensor';
  const scale = perTensor ? await tensorScale(source, info, encoding, signal) : undefined;
  let read = 0;
  for await (const group of rowGroups(source, info, 1, signal)) {
    if (encoding.family === 'dense') tallyNumbers(info, encoding, group.bytes, group.elems, tally);
    else tallyLowBit(info, encoding, group, scale, tally);
    read += group.bytes.length;
    onRead(read);
  }
  return tally;
}

function tallyNumbers(info: TensorInfo, encoding: DenseEncoding, bytes: Uint8Array, elems: number, tally: Tally): void {
  const numbers = new Float32Array(elems);
  naming(info, () => encoding.decode(bytes, elems, numbers));
  let sum = 0;
  for (let i = 0; i < elems; i++) {
    const number = numbers[i]!;
    sum += number * 0;
    if (number === 0) tally.zeros++;
  }
  tally.weights += elems;
  if (sum !== 0)
    throw new TernlightError('invalid-file', `model: ${info.name}: it holds numbers that are infinite or none`);
}

function tallyLowBit(
  info: TensorInfo,
  encoding: TernaryEncoding | BinaryEncoding,
  group: { bytes: Uint8Array; elems: number },
  scale: number | undefined,
  tally: Tally,
): void {
  const { codes, scales, scaleElems } = decodeLowBit(info, encoding, group, scale, 1);
  for (let s = 0; s < scales.length; s++) {
    let zeros = 0;
    for (let i = s * scaleElems; i < (s + 1) * scaleElems; i++) if (codes[i] === 1) zeros++;
    tally.zeros += zeros;
    tally.weights += scaleElems;
    if (zeros === scaleElems) continue; // the scale of nothing but zeros means nothing
    tally.scales++;
    if (scales[s] === 0) tally.zeroScales++;
    else if (scales[s]! < 0) tally.negativeScales++;
  }
}
