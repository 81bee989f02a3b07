// A weight as the kernels see it: where it is and in which packing (docs/PACKING.md). Addresses are numbers; nothing
// here touches memory.

interface MatrixBase {
  readonly name: string;
  /** Output rows and input columns of y = W x. */
  readonly rows: number;
  readonly cols: number;
  readonly address: number;
  /** Bytes with scales and padding. */
  readonly bytes: number;
}

/** Packing V32 with scales [rows / 32, cols / blockCols, 32]. */
export interface TernaryMatrix extends MatrixBase {
  readonly kind: 'ternary';
  readonly scales: number;
  readonly paddedCols: number;
  /** Columns that share a scale; paddedCols where a row has one. */
  readonly blockCols: number;
}

/** Packing B32 with f16 scales [rows / 32, cols / blockCols, 32]. */
export interface BinaryMatrix extends MatrixBase {
  readonly kind: 'binary';
  readonly scales: number;
  readonly paddedCols: number;
  readonly blockCols: number;
}

/** Row-major numbers as the file has them. */
export interface FloatMatrix extends MatrixBase {
  readonly kind: 'f32' | 'f16';
}

/** Row-major i8 with a scale per block of blockCols. */
export interface I8BlockMatrix extends MatrixBase {
  readonly kind: 'i8block';
  readonly scales: number;
  readonly blockCols: number;
}

/** Packing H16 with a scale per row. */
export interface I8RowMatrix extends MatrixBase {
  readonly kind: 'i8row';
  readonly scales: number;
  readonly paddedCols: number;
}

/** Packing H4: what H16 holds, the high nibbles apart from the low ones. */
export interface I8PlanesMatrix extends MatrixBase {
  readonly kind: 'i8planes';
  /** Address of the low nibbles; `address` is that of the high ones. */
  readonly low: number;
  readonly scales: number;
  readonly paddedCols: number;
}

/** f32 numbers: norms. */
export interface Vector {
  readonly kind: 'vector';
  readonly name: string;
  readonly length: number;
  readonly address: number;
  readonly bytes: number;
}

export type Matrix = TernaryMatrix | BinaryMatrix | FloatMatrix | I8BlockMatrix | I8RowMatrix | I8PlanesMatrix;
export type Weight = Matrix | Vector;

/** value rounded up to a multiple of `step`; exact beyond 2^31. */
export function roundUp(value: number, step: number): number {
  return Math.ceil(value / step) * step;
}
