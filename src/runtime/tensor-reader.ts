// Reads tensors out of a source in file order, whole rows at a time, a few MiB at once; knows no packing.
import { TernlightError } from '../errors.ts';
import type { ByteSource, DenseEncoding, TensorInfo, TernaryEncoding } from '../formats/types.ts';

/** Bytes of a file that are read at once, about. */
const READ_BYTES = 2 ** 21;

export class TensorReader {
  readonly #source: ByteSource;
  readonly #signal: AbortSignal | undefined;
  readonly #onBytes: ((bytes: number) => void) | undefined;

  /** @param onBytes called as bytes of tensors have been used */
  constructor(source: ByteSource, signal?: AbortSignal, onBytes?: (bytes: number) => void) {
    this.#source = source;
    this.#signal = signal;
    this.#onBytes = onBytes;
  }

  /** How many rows make a read; a multiple of `multiple`. */
  rowsPerRead(info: TensorInfo, cols: number, multiple = 1): number {
    return Math.max(1, Math.floor(READ_BYTES / bytesOf(info, multiple * cols))) * multiple;
  }

  /** Calls `use` for one piece of `some` rows after another; an error of its names the tensor. */
  async rows(
    info: TensorInfo,
    rows: number,
    cols: number,
    some: number,
    use: (bytes: Uint8Array, row: number, count: number) => void,
  ): Promise<void> {
    let offset = info.offsetBytes;
    for (let row = 0; row < rows; row += some) {
      const count = Math.min(some, rows - row);
      const length = bytesOf(info, count * cols);
      const bytes = await this.#read(offset, length);
      named(info, () => use(bytes, row, count));
      offset += length;
      this.#onBytes?.(length);
    }
  }

  /** The scale behind the data of an encoding that has one for the tensor. */
  async tensorScale(info: TensorInfo, encoding: TernaryEncoding): Promise<number> {
    const length = encoding.trailerBytes ?? 0;
    const trailer = await this.#read(info.offsetBytes + info.lengthBytes - length, length);
    this.#onBytes?.(length);
    const scale = named(info, () => encoding.tensorScale!(trailer));
    checkScale(info, scale);
    return scale;
  }

  /** A small tensor as f32 numbers. */
  async vector(info: TensorInfo, encoding: DenseEncoding, length: number): Promise<Float32Array> {
    const out = new Float32Array(length);
    const bytes = await this.#read(info.offsetBytes, info.lengthBytes);
    named(info, () => encoding.decode(bytes, length, out));
    checkFinite(info, out, length);
    this.#onBytes?.(info.lengthBytes);
    return out;
  }

  #read(offset: number, length: number): Promise<Uint8Array> {
    this.#signal?.throwIfAborted();
    return this.#source.read(offset, length, this.#signal);
  }
}

function bytesOf(info: TensorInfo, elems: number): number {
  return (elems / info.encoding.blockElems) * info.encoding.blockBytes;
}

/** Puts the tensor's name before the message of an error that a decoder throws. */
function named<T>(info: TensorInfo, run: () => T): T {
  try {
    return run();
  } catch (cause) {
    if (cause instanceof TernlightError)
      throw new TernlightError(cause.code, `model: ${info.name}: ${cause.message}`, { cause });
    throw cause;
  }
}

export function checkScale(info: TensorInfo, scale: number): void {
  if (Number.isFinite(scale)) return;
  throw new TernlightError(
    'invalid-file',
    `model: ${info.name} has the scale ${scale}, expected a finite number; the file is damaged`,
  );
}

export function checkFinite(info: TensorInfo, numbers: Float32Array, count: number): void {
  for (let i = 0; i < count; i++) {
    if (!Number.isFinite(numbers[i]!)) throw notFinite(info, numbers[i]);
  }
}

export function notFinite(info: TensorInfo, number: number | string = 'infinities or NaN'): TernlightError {
  return new TernlightError(
    'invalid-file',
    `model: ${info.name} holds ${number}, expected finite numbers; the file is damaged`,
  );
}
