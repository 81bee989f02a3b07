// A tensor's data as groups of whole rows, a bounded number of elements at a time: what a conversion or a check holds
// of a model. Knows no encoding's inside.

import { TernlightError } from '../errors.ts';
import type { ByteSource, TensorInfo, TernaryEncoding } from '../formats/types.ts';

/** A MiB of codes, or 4 MiB of f32. */
const groupElems = 1 << 20;

export interface RowGroup {
  readonly bytes: Uint8Array;
  readonly elems: number;
}

/**
 * Groups of rows, the first row first.
 * @param blockElems every group is whole blocks of this many elements too, the last one as far as the tensor is
 */
export async function* rowGroups(
  source: ByteSource,
  info: TensorInfo,
  blockElems: number,
  signal?: AbortSignal,
): AsyncGenerator<RowGroup> {
  const total = info.dims.reduce((product, dim) => product * dim, 1);
  const unit = multiple(multiple(info.dims[0]!, info.encoding.blockElems), blockElems);
  const some = unit * Math.max(1, Math.floor(groupElems / unit));
  let offset = info.offsetBytes;
  for (let at = 0; at < total; at += some) {
    signal?.throwIfAborted();
    const elems = Math.min(some, total - at);
    const length = (elems / info.encoding.blockElems) * info.encoding.blockBytes;
    yield { bytes: await source.read(offset, length, signal), elems };
    offset += length;
  }
}

/** The scale of an encoding that has one for the tensor. */
export async function tensorScale(
  source: ByteSource,
  info: TensorInfo,
  encoding: TernaryEncoding,
  signal?: AbortSignal,
): Promise<number> {
  if (info.scale !== undefined) return info.scale;
  const length = encoding.trailerBytes ?? 0;
  const trailer = await source.read(info.offsetBytes + info.lengthBytes - length, length, signal);
  return naming(info, () => encoding.tensorScale!(trailer));
}

/** Puts the tensor's name before the message of an error that its encoding throws. */
export function naming<T>({ name }: TensorInfo, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (!(cause instanceof TernlightError)) throw cause;
    throw new TernlightError(cause.code, `model: ${name}: ${cause.message}`, { cause });
  }
}

/** The smallest common multiple. */
function multiple(a: number, b: number): number {
  let [x, y] = [a, b];
  while (y > 0) [x, y] = [y, x % y];
  return (a / x) * b;
}
