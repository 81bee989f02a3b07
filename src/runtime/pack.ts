// Streams tensors out of a file and into packings, a few MiB at a time: no tensor is ever whole in a JavaScript buffer.
import { BLOCK_ROWS, COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { ByteSource, DenseEncoding, TensorInfo, TernaryEncoding } from '../formats/types.ts';
import type { Kernels } from '../kernels.d.ts';
import { roundUp, type Weight } from '../plan/weights.ts';
import type { Layout } from './arena.ts';
import type { PackingJob } from './packing.ts';

/** Bytes of a file that are read at once, about. */
const READ_BYTES = 2 ** 21;

export interface PackerOptions {
  readonly source: ByteSource;
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly layout: Layout;
  readonly signal?: AbortSignal;
  /** Called as bytes of the file have been packed. */
  readonly onBytes?: (bytes: number) => void;
}

/** Bytes of staging that packing these jobs takes: the codes or numbers of one block of rows. */
export function stagingBytes(jobs: readonly PackingJob[]): number {
  return Math.max(0, ...jobs.map(({ spec }) => BLOCK_ROWS * 4 * roundUp(spec.dims[0] ?? 0, COLS_ALIGN)));
}

export class Packer {
  readonly #o: PackerOptions;
  readonly #staging: number;

  constructor(options: PackerOptions, staging: number) {
    this.#o = options;
    this.#staging = staging;
  }

  async pack(job: PackingJob): Promise<Weight> {
    const { info, spec, kind } = job;
    const [cols = 1, rows = 1] = spec.dims;
    const bytes = job.weightBytes + job.scaleBytes;
    const base = { name: info.name, rows, cols, bytes };
    const address = this.#o.layout.allocate(info.name, job.weightBytes);
    const { encoding } = info;
    if (kind === 'vector' && encoding.family === 'dense') {
      const data = await this.#vector(info, encoding, cols);
      new Float32Array(this.#o.memory.buffer, address, cols).set(data);
      return { kind, name: info.name, length: cols, address, bytes };
    }
    if (kind === 'ternary' && encoding.family === 'ternary') {
      const paddedCols = roundUp(cols, COLS_ALIGN);
      const blockCols = await this.#ternary(info, encoding, rows, cols, address);
      const scales = this.#writeScales(info, rows, cols, paddedCols, blockCols);
      return { kind, ...base, address, scales: scales.address, paddedCols, blockCols: scales.blockCols };
    }
    if (kind === 'i8row' && encoding.family === 'dense') {
      const scales = this.#o.layout.allocate(`${info.name} scales`, job.scaleBytes);
      const paddedCols = roundUp(cols, COLS_ALIGN);
      await this.#i8Rows(info, encoding, rows, cols, address, scales);
      return { kind, ...base, address, scales, paddedCols };
    }
    if (kind === 'i8block') {
      const scales = this.#o.layout.allocate(`${info.name} scales`, job.scaleBytes);
      const blockCols = await this.#i8Blocks(info, rows, cols, address, scales);
      return { kind, ...base, address, scales, blockCols };
    }
    if ((kind === 'f16' || kind === 'f32') && encoding.family === 'dense') {
      await this.#floats(info, encoding, rows, cols, kind, address);
      return { kind, ...base, address };
    }
    throw new TernlightError('internal', `pack: ${info.name} of ${encoding.name} as ${kind}`);
  }

  /** A separate scale of a matrix (`blk.0.attn_q.scale`): its f32 value. */
  async scalar(info: TensorInfo): Promise<number> {
    if (info.encoding.family !== 'dense')
      throw new TernlightError('invalid-file', `model: ${info.name} is ${info.encoding.name}, expected a number`);
    const value = (await this.#vector(info, info.encoding, 1))[0]!;
    this.#checkScale(info, value);
    return value;
  }

  /** Multiplies the scales of a packed ternary matrix. */
  multiplyScales(weight: Weight, factor: number): void {
    if (weight.kind !== 'ternary')
      throw new TernlightError(
        'unsupported',
        `model: ${weight.name} is not ternary and has a separate scale of ${factor}`,
      );
    const count = (roundUp(weight.rows, BLOCK_ROWS) * weight.paddedCols) / weight.blockCols;
    const scales = new Float32Array(this.#o.memory.buffer, weight.scales, count);
    for (let i = 0; i < count; i++) scales[i] = scales[i]! * factor;
  }

  #scales = new Float32Array(0);

  /** Codes into V32, scales into #scales [rows, cols / block]; returns the columns that share a scale. */
  async #ternary(
    info: TensorInfo,
    encoding: TernaryEncoding,
    rows: number,
    cols: number,
    address: number,
  ): Promise<number> {
    const { kernels, memory } = this.#o;
    const paddedCols = roundUp(cols, COLS_ALIGN);
    const perTensor = encoding.scaleElems === 'tensor';
    const blockCols = encoding.scaleElems === 'tensor' ? cols : encoding.scaleElems;
    if (cols % blockCols !== 0 || (!perTensor && (blockCols % COLS_ALIGN !== 0 || 256 % blockCols !== 0)))
      throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
    this.#scales = new Float32Array((rows * cols) / blockCols);
    const groups = Math.max(1, Math.floor(READ_BYTES / this.#bytesOf(info, BLOCK_ROWS * cols)));
    const codes = new Uint8Array(Math.min(groups * BLOCK_ROWS, roundUp(rows, BLOCK_ROWS)) * cols);
    await this.#rows(info, rows, cols, groups * BLOCK_ROWS, (bytes, row, count) => {
      const scales = perTensor
        ? this.#scales
        : this.#scales.subarray((row * cols) / blockCols, ((row + count) * cols) / blockCols);
      encoding.decode(bytes, count * cols, codes, scales);
      const staging = new Uint8Array(memory.buffer, this.#staging, BLOCK_ROWS * paddedCols);
      for (let r = 0; r < count; r += BLOCK_ROWS) {
        const some = Math.min(BLOCK_ROWS, count - r);
        // Code 1 is the weight 0: rows and columns that are not there.
        if (some < BLOCK_ROWS || paddedCols > cols) staging.fill(1);
        if (paddedCols === cols) staging.set(codes.subarray(r * cols, (r + some) * cols));
        else
          for (let i = 0; i < some; i++)
            staging.set(codes.subarray((r + i) * cols, (r + i + 1) * cols), i * paddedCols);
        kernels.packV32(this.#staging, address + ((row + r) * paddedCols) / 4, paddedCols);
      }
    });
    if (perTensor) {
      const trailer = await this.#read(
        info.offsetBytes + info.lengthBytes - (encoding.trailerBytes ?? 0),
        encoding.trailerBytes ?? 0,
      );
      this.#o.onBytes?.(trailer.byteLength);
      this.#scales.fill(encoding.tensorScale!(trailer));
    }
    return blockCols;
  }

  /** Scales [rows, cols / blockCols] -> [rows / 32, blocks, 32], with one block a row where a row has one value. */
  #writeScales(
    info: TensorInfo,
    rows: number,
    cols: number,
    paddedCols: number,
    blockCols: number,
  ): { address: number; blockCols: number } {
    const scales = this.#scales;
    this.#scales = new Float32Array(0);
    const stored = cols / blockCols;
    let uniform = true;
    for (let i = 0; i < scales.length; i++) {
      if (!Number.isFinite(scales[i]!)) this.#checkScale(info, scales[i]!);
      if (uniform && i % stored !== 0 && scales[i] !== scales[i - 1]) uniform = false;
    }
    const blocks = uniform ? 1 : stored;
    const count = roundUp(rows, BLOCK_ROWS) * blocks;
    const address = this.#o.layout.allocate(`${info.name} scales`, 4 * count);
    const out = new Float32Array(this.#o.memory.buffer, address, count);
    for (let r = 0; r < rows; r++) {
      const group = (r - (r % BLOCK_ROWS)) * blocks + (r % BLOCK_ROWS);
      for (let b = 0; b < blocks; b++) out[group + b * BLOCK_ROWS] = scales[r * stored + b]!;
    }
    return { address, blockCols: uniform ? paddedCols : blockCols };
  }

  async #i8Rows(
    info: TensorInfo,
    encoding: DenseEncoding,
    rows: number,
    cols: number,
    address: number,
    scales: number,
  ): Promise<void> {
    const { kernels, memory } = this.#o;
    const paddedCols = roundUp(cols, COLS_ALIGN);
    const some = Math.max(1, Math.floor(READ_BYTES / this.#bytesOf(info, BLOCK_ROWS * cols))) * BLOCK_ROWS;
    const numbers = new Float32Array(Math.min(some, roundUp(rows, BLOCK_ROWS)) * cols);
    await this.#rows(info, rows, cols, some, (bytes, row, count) => {
      encoding.decode(bytes, count * cols, numbers);
      const staging = new Float32Array(memory.buffer, this.#staging, 16 * paddedCols);
      // Whole blocks of 32 rows, so that the rows of the padding get the weight 0 and the scale 0.
      for (let r = 0; r < roundUp(count, BLOCK_ROWS); r += 16) {
        staging.fill(0);
        for (let i = r; i < Math.min(r + 16, count); i++)
          staging.set(numbers.subarray(i * cols, (i + 1) * cols), (i - r) * paddedCols);
        kernels.packH16(this.#staging, address + (row + r) * paddedCols, scales + 4 * (row + r), paddedCols);
      }
      this.#checkFinite(info, numbers, count * cols);
    });
  }

  /** Row-major i8 with scales per block: what Q8_0, Q6_K and ternary encodings are exactly. */
  async #i8Blocks(info: TensorInfo, rows: number, cols: number, address: number, scales: number): Promise<number> {
    const { memory } = this.#o;
    const { encoding } = info;
    const perTensor = encoding.family === 'ternary' && encoding.scaleElems === 'tensor';
    const blockCols =
      encoding.family === 'dense' ? encoding.i8ScaleElems! : perTensor ? cols : (encoding.scaleElems as number);
    if (cols % blockCols !== 0 || blockCols % 16 !== 0)
      throw new TernlightError('unsupported', `model: ${info.name} has ${cols} columns in blocks of ${blockCols}`);
    await this.#rows(info, rows, cols, this.#readRows(info, cols), (bytes, row, count) => {
      const q = new Int8Array(memory.buffer, address + row * cols, count * cols);
      const s = new Float32Array(memory.buffer, scales + (4 * row * cols) / blockCols, (count * cols) / blockCols);
      if (encoding.family === 'dense') encoding.decodeI8!(bytes, count * cols, q, s);
      else {
        encoding.decode(bytes, count * cols, new Uint8Array(q.buffer, q.byteOffset, q.length), s);
        for (let i = 0; i < q.length; i++) q[i] = q[i]! - 1;
      }
      if (!perTensor) this.#checkFinite(info, s, s.length);
    });
    if (perTensor) {
      const trailer = await this.#read(
        info.offsetBytes + info.lengthBytes - (encoding.trailerBytes ?? 0),
        encoding.trailerBytes ?? 0,
      );
      this.#o.onBytes?.(trailer.byteLength);
      const scale = encoding.tensorScale!(trailer);
      this.#checkScale(info, scale);
      new Float32Array(memory.buffer, scales, rows).fill(scale);
    }
    return blockCols;
  }

  async #floats(
    info: TensorInfo,
    encoding: DenseEncoding,
    rows: number,
    cols: number,
    kind: 'f16' | 'f32',
    address: number,
  ): Promise<void> {
    const { memory } = this.#o;
    await this.#rows(info, rows, cols, this.#readRows(info, cols), (bytes, row, count) => {
      if (kind === 'f16') new Uint8Array(memory.buffer, address + 2 * row * cols, 2 * count * cols).set(bytes);
      else
        encoding.decode(bytes, count * cols, new Float32Array(memory.buffer, address + 4 * row * cols, count * cols));
    });
  }

  async #vector(info: TensorInfo, encoding: DenseEncoding, length: number): Promise<Float32Array> {
    const out = new Float32Array(length);
    const bytes = await this.#read(info.offsetBytes, info.lengthBytes);
    encoding.decode(bytes, length, out);
    this.#checkFinite(info, out, length);
    this.#o.onBytes?.(info.lengthBytes);
    return out;
  }

  /** Reads `some` rows at a time in file order. */
  async #rows(
    info: TensorInfo,
    rows: number,
    cols: number,
    some: number,
    use: (bytes: Uint8Array, row: number, count: number) => void,
  ): Promise<void> {
    let offset = info.offsetBytes;
    for (let row = 0; row < rows; row += some) {
      const count = Math.min(some, rows - row);
      const length = this.#bytesOf(info, count * cols);
      const bytes = await this.#read(offset, length);
      try {
        use(bytes, row, count);
      } catch (cause) {
        if (cause instanceof TernlightError)
          throw new TernlightError(cause.code, `model: ${info.name}: ${cause.message}`, { cause });
        throw cause;
      }
      offset += length;
      this.#o.onBytes?.(length);
    }
  }

  #read(offset: number, length: number): Promise<Uint8Array> {
    this.#o.signal?.throwIfAborted();
    return this.#o.source.read(offset, length, this.#o.signal);
  }

  #bytesOf(info: TensorInfo, elems: number): number {
    return (elems / info.encoding.blockElems) * info.encoding.blockBytes;
  }

  #readRows(info: TensorInfo, cols: number): number {
    return Math.max(1, Math.floor(READ_BYTES / this.#bytesOf(info, cols)));
  }

  #checkScale(info: TensorInfo, scale: number): void {
    if (!Number.isFinite(scale))
      throw new TernlightError(
        'invalid-file',
        `model: ${info.name} has the scale ${scale}, expected a finite number; the file is damaged`,
      );
  }

  #checkFinite(info: TensorInfo, numbers: Float32Array, count: number): void {
    for (let i = 0; i < count; i++) {
      if (!Number.isFinite(numbers[i]!))
        throw new TernlightError(
          'invalid-file',
          `model: ${info.name} holds ${numbers[i]} at element ${i} of its block, expected finite numbers; the file is damaged`,
        );
    }
  }
}
