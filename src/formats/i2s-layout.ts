// In which of its three orders a file has its I2_S codes: no file says so, and the wrong one gives noise. What tells
// is a channel that training has killed: the norm before a linear layer is about 1e-32 there, and the column of the
// layer is all zeros. The right order shows exactly those columns as zeros; in a wrong one they are somewhere else.

import { TernlightError } from '../errors.ts';
import { i2s } from './encodings/i2s.ts';
import { type I2sLayout, i2sByLayout } from './encodings/index.ts';
import type { ModelFile, TensorInfo } from './types.ts';

/** BitNet 2B-4T has dead channels from layer 1 on. */
const layers = [1, 0, 2];
/** Norms and what they feed; the sub-norms first, for it is there that channels die. */
const pairs = [
  ['ffn_sub_norm', 'ffn_down'],
  ['attn_sub_norm', 'attn_output'],
  ['ffn_norm', 'ffn_gate'],
  ['attn_norm', 'attn_q'],
] as const;
/** A multiple of 128: then whole blocks of all orders make up the sample. */
const maxRows = 256;
/** Of all the weights that are read: enough for four samples of the 2B-4T. */
const maxSampleBytes = 4 << 20;
/** Wider layers are no language model's, and the sample would be large. */
const maxCols = 65536;
const deadBelow = 1e-20;

export interface I2sIdentity {
  readonly layout: I2sLayout;
  /** False where nothing told and the layout is that of the published files. */
  readonly sure: boolean;
  /** A sentence for notes and messages. */
  readonly why: string;
}

/**
 * Finds out from a few norms and, where they have dead channels, from up to 256 rows behind them: a few MiB at most.
 * Undefined if the file has no I2_S tensors. Throws where the sample is not I2_S data. Reads nothing of a source
 * that goes forwards only.
 */
export async function identifyI2s(file: ModelFile, signal?: AbortSignal): Promise<I2sIdentity | undefined> {
  if (!file.tensors.some(isI2s)) return undefined;
  if (file.source.sequential)
    return unsure('the source can only be read forwards, so the order of the I2_S codes was not examined');
  const byName = new Map(file.tensors.map((tensor) => [tensor.name, tensor]));
  let doubt = 'no dead channels tell the order of the I2_S codes';
  let sampleBytes = 0;
  for (const layer of layers) {
    for (const [normName, linearName] of pairs) {
      const norm = byName.get(`blk.${layer}.${normName}.weight`);
      const linear = byName.get(`blk.${layer}.${linearName}.weight`);
      if (!norm || !linear || !isI2s(linear) || sampleBytes >= maxSampleBytes) continue;
      const dead = await deadChannels(file, norm, linear, signal);
      if (dead.length === 0) continue;
      const sample = await readSample(file, linear, signal);
      sampleBytes += sample.bytes.length;
      const [best, next, last] = zeroColumns(dead, sample);
      const count = ({ layout, hits }: Hits) => `${hits} in the I2_S order "${layout}"`;
      const which = `of ${dead.length} dead channels of ${norm.name}, columns of zeros in ${linear.name}`;
      // All but a few, and no other order comes near: a quarter of the columns is at the same place in two of them.
      if (dead.length - best.hits <= 0.02 * dead.length && best.hits - next.hits >= Math.max(1, 0.05 * dead.length))
        return { layout: best.layout, sure: true, why: `${which}: ${count(best)}, ${count(next)}, ${count(last)}` };
      doubt = `${which}: ${count(best)}, ${count(next)}, ${count(last)}, which tells nothing`;
    }
  }
  return unsure(doubt);
}

/** The file with its I2_S codes taken to be in this order. Throws where a tensor cannot be. */
export function withI2sLayout(file: ModelFile, layout: I2sLayout): ModelFile {
  const tensors = file.tensors.map((tensor) => {
    if (!isI2s(tensor)) return tensor;
    const [cols, rows] = shapeOf(tensor);
    const encoding = i2sByLayout(layout, cols);
    if ((rows * cols) % encoding.blockElems !== 0) {
      throw new TernlightError(
        'invalid-option',
        `i2s: ${file.source.name}: tensor ${JSON.stringify(tensor.name)} has ${rows} rows of ${cols}, expected a multiple of ${encoding.blockElems} elements for layout "${layout}"; try another layout`,
      );
    }
    return { ...tensor, encoding };
  });
  return { ...file, tensors };
}

function isI2s({ encoding }: TensorInfo): boolean {
  return encoding.id === i2s.id;
}

function unsure(why: string): I2sIdentity {
  return { layout: 'x86', sure: false, why: `${why}; taken to be as in all published files` };
}

function shapeOf({ dims }: TensorInfo): [cols: number, rows: number] {
  return [dims[0]!, dims.slice(1).reduce((product, dim) => product * dim, 1)];
}

/** The indices at which the norm is all but 0. */
async function deadChannels(
  file: ModelFile,
  { encoding, dims, offsetBytes, lengthBytes }: TensorInfo,
  linear: TensorInfo,
  signal: AbortSignal | undefined,
): Promise<number[]> {
  const cols = linear.dims[0]!;
  if (encoding.family !== 'dense' || dims.length !== 1 || dims[0] !== cols || cols > maxCols) return [];
  const values = new Float32Array(cols);
  encoding.decode(await file.source.read(offsetBytes, lengthBytes, signal), cols, values);
  const dead: number[] = [];
  for (let col = 0; col < cols; col++) if (Math.abs(values[col]!) < deadBelow) dead.push(col);
  return dead;
}

interface Sample {
  readonly bytes: Uint8Array;
  readonly rows: number;
  readonly cols: number;
}

/** The first rows: they stand in the same bytes in every order. */
async function readSample(file: ModelFile, linear: TensorInfo, signal: AbortSignal | undefined): Promise<Sample> {
  const [cols, allRows] = shapeOf(linear);
  const rows = Math.min(allRows, maxRows);
  const bytes = await file.source.read(linear.offsetBytes, (rows * cols) / 4, signal);
  let threes = 0;
  for (const byte of bytes) threes |= byte & (byte >>> 1);
  if ((threes & 0x55) === 0) return { bytes, rows, cols };
  throw new TernlightError(
    'invalid-file',
    `i2s: ${file.source.name}: tensor ${JSON.stringify(linear.name)} is not I2_S data: it holds a code 3, expected 0, 1 or 2; the file is damaged: download it again`,
  );
}

interface Hits {
  readonly layout: I2sLayout;
  readonly hits: number;
}

/** How many of the dead channels are columns of zeros, in each order; the most first. */
function zeroColumns(dead: readonly number[], { bytes, rows, cols }: Sample): [Hits, Hits, Hits] {
  const codes = new Uint8Array(rows * cols);
  const count = (layout: I2sLayout): Hits => {
    const encoding = i2sByLayout(layout, cols);
    if (codes.length % encoding.blockElems !== 0) return { layout, hits: 0 }; // cannot be this one
    encoding.decode(bytes, codes.length, codes, noScales);
    return { layout, hits: dead.filter((col) => isZeroColumn(codes, col, rows, cols)).length };
  };
  const [first, second, third] = [count('x86'), count('arm'), count('rows4')].sort((a, b) => b.hits - a.hits);
  return [first!, second!, third!];
}

const noScales = new Float32Array(0);

/** All codes 1, but for one in 64: what training has left there is small, not always nothing. */
function isZeroColumn(codes: Uint8Array, col: number, rows: number, cols: number): boolean {
  let others = 0;
  const allowed = Math.floor(rows / 64);
  for (let at = col; at < rows * cols; at += cols) if (codes[at] !== 1 && ++others > allowed) return false;
  return true;
}
