// A tensor of floats in a checkpoint as rows, in the order of GGUF. Reads what is asked for, a few MiB at best.

import { TernlightError } from '../errors.ts';
import { bf16 } from './encodings/bf16.ts';
import { f16 } from './encodings/f16.ts';
import { f32 } from './encodings/f32.ts';
import type { SafeTensor } from './safetensors.ts';
import { quote } from './safetensors-text.ts';
import type { DenseEncoding } from './types.ts';

/** Of a checkpoint, read at once. */
export const pieceBytes = 4 << 20;

const encodings = new Map<string, DenseEncoding>([
  ['F32', f32],
  ['F16', f16],
  ['BF16', bf16],
]);

export class FloatMatrix {
  readonly name: string;
  readonly encoding: DenseEncoding;
  readonly rows: number;
  readonly cols: number;
  /** As stored. */
  readonly rowBytes: number;
  /** How many rows make a piece. */
  readonly pieceRows: number;

  /**
   * @param tensor [rows, cols], or [cols] for one row, or [] for one number
   * @param headRows rows of a head, where GGUF reorders them: HF's 0, 1, .. n/2 .. n-1 become 0, n/2, 1, n/2 + 1 ...
   */
  constructor(
    private readonly tensor: SafeTensor,
    private readonly headRows?: number,
  ) {
    const { name, dtype, shape } = tensor;
    const encoding = encodings.get(dtype);
    if (!encoding) {
      throw new TernlightError(
        'unsupported',
        `repository: tensor ${quote(name)} is of dtype ${dtype}, expected F32, F16 or BF16`,
      );
    }
    this.name = name;
    this.encoding = encoding;
    this.cols = shape.at(-1) ?? 1;
    this.rows = shape.length > 1 ? shape[0]! : 1;
    this.rowBytes = this.cols * encoding.blockBytes;
    const unit = headRows ?? 1;
    this.pieceRows = Math.max(1, Math.floor(pieceBytes / (this.rowBytes * unit))) * unit;
  }

  /** [count, cols], decoded. */
  async numbers(row: number, count: number, signal?: AbortSignal): Promise<Float32Array> {
    const bytes = await this.bytes(row, count, signal);
    const numbers = new Float32Array(count * this.cols);
    this.encoding.decode(bytes, numbers.length, numbers);
    return numbers;
  }

  /** Calls `use` for one row [cols] after another, decoded; the array is the same for all. */
  async each(
    row: number,
    count: number,
    signal: AbortSignal | undefined,
    use: (numbers: Float32Array, index: number) => void,
  ): Promise<void> {
    const bytes = await this.bytes(row, count, signal);
    const numbers = new Float32Array(this.cols);
    for (let i = 0; i < count; i++) {
      this.encoding.decode(bytes.subarray(i * this.rowBytes), this.cols, numbers);
      use(numbers, i);
    }
  }

  /** [count, rowBytes], as stored. */
  async bytes(row: number, count: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { headRows, rowBytes } = this;
    if (headRows === undefined) return this.stored(row, count, signal);
    // Whole heads: a row's neighbours come from both halves of its head.
    const first = row - (row % headRows);
    const end = Math.ceil((row + count) / headRows) * headRows;
    const stored = await this.stored(first, end - first, signal);
    const out = new Uint8Array(count * rowBytes);
    for (let i = 0; i < count; i++) {
      const from = (storedRow(row + i, headRows) - first) * rowBytes;
      out.set(stored.subarray(from, from + rowBytes), i * rowBytes);
    }
    return out;
  }

  private stored(row: number, count: number, signal?: AbortSignal): Promise<Uint8Array> {
    const { source, offsetBytes } = this.tensor;
    return source.read(offsetBytes + row * this.rowBytes, count * this.rowBytes, signal);
  }
}

/** Where a checkpoint has the row that is `row` in GGUF. */
export function storedRow(row: number, headRows: number): number {
  const within = row % headRows;
  return row - within + (within % 2) * (headRows / 2) + Math.floor(within / 2);
}
