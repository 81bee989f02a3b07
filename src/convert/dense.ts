// Tensors that are written as numbers: what they are read as, whatever their encoding.

import { TernlightError } from '../errors.ts';
import type { TensorInfo } from '../formats/types.ts';
import { decodeLowBit } from './low-bit.ts';
import { naming, type RowGroup } from './row-groups.ts';

/** The numbers [elems] of a group. Throws on what is not finite. */
export function decodeNumbers(
  info: TensorInfo,
  group: RowGroup,
  tensorScale: number | undefined,
  factor: number,
): Float32Array {
  const numbers = new Float32Array(group.elems);
  const { encoding } = info;
  if (encoding.family === 'dense') {
    naming(info, () => encoding.decode(group.bytes, group.elems, numbers));
    if (factor !== 1) for (let i = 0; i < numbers.length; i++) numbers[i] = numbers[i]! * factor;
  } else {
    const { codes, scales, scaleElems } = decodeLowBit(info, encoding, group, tensorScale, factor);
    for (let i = 0; i < numbers.length; i++) numbers[i] = (codes[i]! - 1) * scales[Math.floor(i / scaleElems)]!;
  }
  let zero = 0;
  for (let i = 0; i < numbers.length; i++) zero += numbers[i]! * 0;
  if (zero !== 0) {
    throw new TernlightError(
      'invalid-file',
      `convert: ${info.name} holds a number that is infinite or none, expected finite numbers; the file is damaged`,
    );
  }
  return numbers;
}

/** Throws where f16 would make a number infinite. */
export function checkF16(info: TensorInfo, numbers: Float32Array): void {
  const wrong = numbers.find((number) => Math.abs(number) >= 65520);
  if (wrong === undefined) return;
  throw new TernlightError(
    'unsupported',
    `convert: ${info.name} holds ${wrong}, expected at most 65504, the most that F16 holds`,
  );
}
