// Ternary and 1-bit data of any encoding as codes and scales.

import type { BinaryEncoding, TensorInfo, TernaryEncoding } from '../formats/types.ts';
import { naming, type RowGroup } from './row-groups.ts';

export interface LowBitGroup {
  /** [elems] 0, 1, 2 for -1, 0, +1 */
  readonly codes: Uint8Array;
  /** [elems / scaleElems] */
  readonly scales: Float32Array;
  /** Elements that share a scale: runs that do not cross rows. */
  readonly scaleElems: number;
}

/**
 * @param tensorScale where the encoding has one scale for the tensor
 * @param factor multiplies every scale, in f32
 */
export function decodeLowBit(
  info: TensorInfo,
  encoding: TernaryEncoding | BinaryEncoding,
  { bytes, elems }: RowGroup,
  tensorScale: number | undefined,
  factor: number,
): LowBitGroup {
  const scaleElems = encoding.scaleElems === 'tensor' ? info.dims[0]! : encoding.scaleElems;
  const codes = new Uint8Array(elems);
  const scales = new Float32Array(elems / scaleElems);
  if (encoding.family === 'ternary') naming(info, () => encoding.decode(bytes, elems, codes, scales));
  else {
    const bits = new Uint8Array(elems / 8);
    naming(info, () => encoding.decode(bytes, elems, bits, scales));
    for (let i = 0; i < elems; i++) codes[i] = ((bits[i >> 3]! >> (i & 7)) & 1) * 2;
  }
  if (tensorScale !== undefined) scales.fill(tensorScale);
  if (factor !== 1) for (let i = 0; i < scales.length; i++) scales[i] = scales[i]! * factor;
  return { codes, scales, scaleElems };
}
