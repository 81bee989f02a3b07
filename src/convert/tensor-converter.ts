// The data of one tensor on its way from the old encoding to the new one, rows at a time.

import { TernlightError } from '../errors.ts';
import type { ByteSource, DenseEncoding, TensorInfo, TernaryEncoding } from '../formats/types.ts';
import { checkF16, decodeNumbers } from './dense.ts';
import { decodeLowBit } from './low-bit.ts';
import { naming, type RowGroup, rowGroups, tensorScale } from './row-groups.ts';
import { type Rounding, scalesPer256, TensorScale } from './scales.ts';
import type { TensorJob } from './tensors.ts';

export class TensorConverter {
  readonly #source: ByteSource;
  readonly #job: TensorJob;
  readonly #rounding: Rounding;
  /** What a separate scale multiplies the tensor with. */
  #factor = 1;
  /** Of an old encoding that has one scale for the tensor. */
  #ownScale: number | undefined;

  constructor(source: ByteSource, job: TensorJob, rounding: Rounding) {
    this.#source = source;
    this.#job = job;
    this.#rounding = rounding;
  }

  /** The new data, trailer included. */
  async *bytes(signal?: AbortSignal): AsyncGenerator<Uint8Array> {
    const { info, encoding, factor } = this.#job;
    const old = info.encoding;
    if (old.family === 'ternary' && old.scaleElems === 'tensor')
      this.#ownScale = finite(info, await tensorScale(this.#source, info, old, signal));
    if (factor) this.#factor = await this.#number(factor, signal);
    const groups = rowGroups(this.#source, info, encoding.blockElems, signal);
    if (encoding.family === 'dense') for await (const group of groups) yield this.#dense(encoding, group);
    else if (encoding.scaleElems === 'tensor') {
      const scale = new TensorScale(info.name, this.#job.cols);
      for await (const group of groups) yield this.#ternary(encoding, group, scale);
      yield encoding.encodeTrailer!(scale.value);
    } else for await (const group of groups) yield this.#ternary(encoding, group);
  }

  #dense(encoding: DenseEncoding, group: RowGroup): Uint8Array {
    const { info } = this.#job;
    const numbers = decodeNumbers(info, group, this.#ownScale, this.#factor);
    // Encoding again what was encoded so would move numbers by another rounding.
    if (encoding.name === info.encoding.name && this.#factor === 1) return group.bytes.slice();
    if (encoding.name === 'F16') checkF16(info, numbers);
    const out = room(encoding, group);
    naming(info, () => encoding.encode!(numbers, group.elems, out));
    return out;
  }

  #ternary(encoding: TernaryEncoding, group: RowGroup, tensorScale?: TensorScale): Uint8Array {
    const { info } = this.#job;
    if (info.encoding.family === 'dense')
      throw new TernlightError('internal', `convert: ${info.name} of ${info.encoding.name} as ${encoding.name}`);
    const decoded = decodeLowBit(info, info.encoding, group, this.#ownScale, this.#factor);
    for (const scale of decoded.scales) finite(info, scale);
    tensorScale?.add(decoded);
    const scales = tensorScale ? decoded.scales : scalesPer256(info.name, decoded, this.#rounding);
    const out = room(encoding, group);
    naming(info, () => encoding.encode!(decoded.codes, scales, group.elems, out));
    return out;
  }

  async #number(info: TensorInfo, signal: AbortSignal | undefined): Promise<number> {
    const bytes = await this.#source.read(info.offsetBytes, info.lengthBytes, signal);
    return decodeNumbers(info, { bytes, elems: 1 }, undefined, 1)[0]!;
  }
}

function room({ blockElems, blockBytes }: DenseEncoding | TernaryEncoding, { elems }: RowGroup): Uint8Array {
  return new Uint8Array((elems / blockElems) * blockBytes);
}

function finite(info: TensorInfo, scale: number): number {
  if (Number.isFinite(scale)) return scale;
  throw new TernlightError(
    'invalid-file',
    `convert: ${info.name} has the scale ${scale}, expected a finite number; the file is damaged`,
  );
}
