// Reads tensors out of a source in file order, piece by piece into staging: while one is packed the next ones are read.
// Knows no packing.
import { TernlightError } from '../errors.ts';
import type { ByteSource, DenseEncoding, TensorInfo, TernaryEncoding } from '../formats/types.ts';
import { nextTask } from './next-task.ts';
import type { PackingJob } from './packing.ts';
import { type Piece, piecesOf } from './pieces.ts';
import type { Staging } from './staging.ts';

/** A piece that has been read. */
export interface StagedPiece extends Piece {
  readonly address: number;
  /** A view of it and its padding. */
  readonly bytes: Uint8Array;
}

export interface ReaderOptions {
  readonly memory: WebAssembly.Memory;
  readonly staging: Staging;
  readonly signal?: AbortSignal;
  /** Called as bytes of tensors have been used. */
  readonly onBytes?: (bytes: number) => void;
}

export class TensorReader {
  readonly #source: ByteSource;
  readonly #options: ReaderOptions;
  readonly #pieces: readonly Piece[];
  /** The piece that is asked for next, and the one that is read next. */
  #at = 0;
  #ahead = 0;
  readonly #reads: Promise<StagedPiece>[] = [];
  readonly #uses = new Set<Promise<void>>();
  #failure: { readonly error: unknown } | undefined;

  /** @param jobs the tensors in the order in which they will be asked for */
  constructor(source: ByteSource, jobs: readonly PackingJob[], options: ReaderOptions) {
    this.#source = source;
    this.#options = options;
    this.#pieces = jobs.flatMap(piecesOf);
  }

  /**
   * Calls `use` for one piece of a tensor's rows after another, without waiting for what it promises; its error is thrown
   * by the next call, at the latest by settle.
   */
  async rows(info: TensorInfo, use: (piece: StagedPiece) => Promise<void> | void): Promise<void> {
    while (this.#pieces[this.#at]?.info === info && this.#pieces[this.#at]!.rows > 0) {
      const piece = await this.#next(info);
      const using: Promise<void> = this.#use(piece, use).finally(() => this.#uses.delete(using));
      this.#uses.add(using);
    }
  }

  /** Waits for what uses of rows have promised. */
  async settle(): Promise<void> {
    await Promise.all(this.#uses);
    this.#check();
  }

  /** The scale behind the data of an encoding that has one for the tensor. */
  tensorScale(info: TensorInfo, encoding: TernaryEncoding): Promise<number> {
    return this.#whole(info, (bytes) => {
      const scale = named(info, () => encoding.tensorScale!(bytes));
      checkScale(info, scale);
      return scale;
    });
  }

  /** A small tensor as f32 numbers. */
  vector(info: TensorInfo, encoding: DenseEncoding, length: number): Promise<Float32Array> {
    return this.#whole(info, (bytes) => {
      const out = new Float32Array(length);
      named(info, () => encoding.decode(bytes, length, out));
      checkFinite(info, out, length);
      return out;
    });
  }

  async #whole<T>(info: TensorInfo, use: (bytes: Uint8Array) => T): Promise<T> {
    const piece = await this.#next(info);
    let result: T;
    await this.#use(piece, ({ bytes }) => {
      result = use(bytes);
    });
    this.#check();
    return result!;
  }

  async #use(piece: StagedPiece, use: (piece: StagedPiece) => Promise<void> | void): Promise<void> {
    try {
      await use(piece);
      this.#options.onBytes?.(piece.lengthBytes);
    } catch (error) {
      this.#failure ??= { error };
    } finally {
      this.#options.staging.give(piece.address);
    }
  }

  /** The next piece, while those after it are read. */
  async #next(info: TensorInfo): Promise<StagedPiece> {
    if (this.#pieces[this.#at]?.info !== info)
      throw new TernlightError('internal', `reader: ${info.name} is not the next tensor`);
    this.#check();
    this.#at++;
    this.#readAhead();
    const piece = await this.#reads.shift()!;
    // Sources in memory never wait: without a task of its own no piece would let threads answer, or timers abort.
    await nextTask();
    this.#check();
    this.#readAhead();
    return piece;
  }

  #check(): void {
    if (this.#failure) throw this.#failure.error;
    this.#options.signal?.throwIfAborted();
  }

  #readAhead(): void {
    while (this.#ahead < this.#pieces.length && this.#reads.length < this.#options.staging.slots - 1) {
      const read = this.#read(this.#pieces[this.#ahead++]!);
      read.catch(() => {}); // it is thrown when its turn comes, which may be never
      this.#reads.push(read);
    }
  }

  async #read(piece: Piece): Promise<StagedPiece> {
    const { memory, staging, signal } = this.#options;
    const address = await staging.take();
    const { offset, lengthBytes, paddedBytes } = piece;
    const bytes = new Uint8Array(memory.buffer, address, paddedBytes);
    const target = bytes.subarray(0, lengthBytes);
    signal?.throwIfAborted();
    if (this.#source.readInto) await this.#source.readInto(offset, target, signal);
    else target.set(await this.#source.read(offset, lengthBytes, signal));
    return { ...piece, address, bytes };
  }
}

/** Runs a decoder, which knows no tensor: puts the name of this one before the message of its error. */
export function named<T>(info: TensorInfo, run: () => T): T {
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
