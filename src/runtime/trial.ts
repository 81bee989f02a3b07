// A small matrix that is not a model's: kernels prove themselves on it, and are timed.
import type { Kernels } from '../kernels.d.ts';

/** A kernel that multiplies a ternary matrix by one token. */
type RowKernelName = 'matmulTernaryDot' | 'matmulTernaryPaired' | 'matmulTernaryI16' | 'matmulTernaryWide';

const PAGE_BYTES = 65536;

/** Bytes of memory that a trial of this size needs behind the kernels' own. */
export function trialPages(rows: number, cols: number): number {
  return 3 + Math.ceil((rows * cols) / 4 / PAGE_BYTES) + Math.ceil((8 * rows + 70 * cols) / PAGE_BYTES);
}

/** rows, cols: multiples of 32. Row r, column k has the weight (r + k) % 3 - 1; activations alternate in sign and size. */
export class Trial {
  readonly rows: number;
  readonly cols: number;
  readonly #kernels: Kernels;
  readonly #memory: WebAssembly.Memory;
  readonly #x: Int8Array;
  readonly #args: readonly number[];
  readonly #y: number;

  constructor(kernels: Kernels, memory: WebAssembly.Memory, rows: number, cols: number) {
    this.rows = rows;
    this.cols = cols;
    this.#kernels = kernels;
    this.#memory = memory;
    let next = kernels.heapBase();
    const region = (bytes: number) => {
      const at = Math.ceil(next / 64) * 64;
      next = at + bytes;
      return at;
    };
    const [codes, w, scales] = [region(32 * cols), region((rows * cols) / 4), region(4 * rows)];
    const [q, qScale, y, range, scratch] = [
      region(cols),
      region(4),
      region(4 * rows),
      region(8),
      region(512 + 34 * cols),
    ];
    const u8 = new Uint8Array(memory.buffer);
    for (let row = 0; row < rows; row += 32) {
      for (let i = 0; i < 32 * cols; i++) u8[codes + i] = (row + Math.floor(i / cols) + (i % cols)) % 3;
      kernels.packV32(codes, w + (row * cols) / 4, cols);
    }
    this.#x = Int8Array.from({ length: cols }, (_, k) => (k % 2 ? -1 : 1) * (127 - (k % 128)));
    new Int8Array(memory.buffer).set(this.#x, q);
    new Float32Array(memory.buffer, scales, rows).fill(1);
    new Float32Array(memory.buffer, qScale, 1)[0] = 1;
    new Int32Array(memory.buffer, range, 2).set([0, 1]);
    this.#args = [w, scales, q, qScale, y, cols, cols, rows, 0, range, 0, rows, scratch];
    this.#y = y;
  }

  run(kernel: RowKernelName): void {
    (this.#kernels[kernel] as (...args: readonly number[]) => void)(...this.#args);
  }

  /** Whether the last run gave the exact sums. */
  isRight(): boolean {
    const y = new Float32Array(this.#memory.buffer, this.#y, this.rows);
    return y.every((v, r) => v === this.#x.reduce((sum, x, k) => sum + x * (((r + k) % 3) - 1), 0));
  }
}
