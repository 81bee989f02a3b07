// Matrix products, one multiplication at a time. Integer sums are exact, and the f32 steps around them are rounded in
// the documented order, so the results of the integer kernels are compared bit for bit; the dense ones are in f64.
const { fround } = Math;

/** weights [rows, cols]; scales [rows, cols / blockCols]. */
export interface TernaryMatrix {
  rows: number;
  cols: number;
  blockCols: number;
  weights: Int8Array;
  scales: Float32Array;
}

/** y[t][r] = sum over blocks of f32(int sum) * scale, in rising order, / qScale[t]; q [T, cols]. Returns [T, rows]. */
export function matmulTernary(m: TernaryMatrix, q: Int8Array, qScale: Float32Array): Float32Array<ArrayBuffer> {
  const { rows, cols, blockCols } = m;
  const blocks = cols / blockCols;
  const y = new Float32Array(qScale.length * rows);
  for (let t = 0; t < qScale.length; t++)
    for (let r = 0; r < rows; r++) {
      let acc = 0;
      for (let b = 0; b < blocks; b++) {
        const sum = dotInt(m.weights, r * cols + b * blockCols, q, t * cols + b * blockCols, blockCols);
        acc = fround(acc + fround(fround(sum) * m.scales[r * blocks + b]!));
      }
      y[t * rows + r] = acc / qScale[t]!;
    }
  return y;
}

/** y[t][r] = f32(int sum) * scale[r] / qScale[t]; weights [rows, cols] int8. Returns [T, rows]. */
export function matmulInt8Rows(
  weights: Int8Array,
  scales: Float32Array,
  cols: number,
  q: Int8Array,
  qScale: Float32Array,
): Float32Array<ArrayBuffer> {
  const rows = scales.length;
  const y = new Float32Array(qScale.length * rows);
  for (let t = 0; t < qScale.length; t++)
    for (let r = 0; r < rows; r++)
      y[t * rows + r] = fround(fround(dotInt(weights, r * cols, q, t * cols, cols)) * scales[r]!) / qScale[t]!;
  return y;
}

/** An integer dot product: exact, for its value stays below 2^53. */
function dotInt(a: Int8Array, aStart: number, b: Int8Array, bStart: number, count: number): number {
  let sum = 0;
  for (let i = 0; i < count; i++) sum += a[aStart + i]! * b[bStart + i]!;
  return sum;
}

/** y[t][r] = sum_k w[r,k] x[t,k] and the sum of magnitudes, which is the measure of the rounding error allowed. */
export function matmulDense(
  w: ArrayLike<number>,
  rows: number,
  cols: number,
  x: ArrayLike<number>,
  tokens: number,
): { y: Float64Array; magnitude: Float64Array } {
  const y = new Float64Array(tokens * rows);
  const magnitude = new Float64Array(tokens * rows);
  for (let t = 0; t < tokens; t++)
    for (let r = 0; r < rows; r++) {
      let sum = 0;
      let size = 0;
      for (let k = 0; k < cols; k++) {
        const product = w[r * cols + k]! * x[t * cols + k]!;
        sum += product;
        size += Math.abs(product);
      }
      y[t * rows + r] = sum;
      magnitude[t * rows + r] = size;
    }
  return { y, magnitude };
}

/** y (+)= v in f32: what `add` means. */
export function addTo(y: Float32Array, v: Float32Array): Float32Array<ArrayBuffer> {
  return Float32Array.from(y, (value, i) => fround(value + v[i]!));
}
