// Generated from assembly/index.ts by scripts/build.mjs; do not edit. npm test fails if it is stale.
export interface Kernels {
  variantFlags(): number;
  heapBase(): number;
  relaxedDotProbe(): number;
  packV32(codes: number, w: number, cols: number): void;
  packH16(x: number, w: number, scales: number, cols: number): void;
  embedF32(w: number, ids: number, x: number, dim: number, xStride: number, begin: number, end: number): void;
  embedF16(w: number, ids: number, x: number, dim: number, xStride: number, begin: number, end: number): void;
  embedI8Block(w: number, scales: number, ids: number, x: number, dim: number, blockCols: number, xStride: number, begin: number, end: number): void;
  embedI8Row(w: number, scales: number, ids: number, x: number, dim: number, cols: number, xStride: number, begin: number, end: number): void;
  rmsNormF32(x: number, w: number, y: number, source: number, dim: number, xStride: number, yStride: number, eps: number, begin: number, end: number): void;
  rmsNormQuantizeI8(x: number, w: number, q: number, scale: number, dim: number, xStride: number, cols: number, eps: number, begin: number, end: number, scratch: number): void;
  quantizeI8(x: number, q: number, scale: number, dim: number, xStride: number, cols: number, begin: number, end: number): void;
  rmsNormHeadsF32(x: number, w: number, heads: number, headDim: number, xStride: number, eps: number, begin: number, end: number): void;
  matmulTernaryDot(w: number, scales: number, q: number, qScale: number, y: number, cols: number, blockCols: number, yStride: number, add: number, tokens: number, begin: number, end: number, scratch: number): void;
  matmulTernaryI16(w: number, scales: number, q: number, qScale: number, y: number, cols: number, blockCols: number, yStride: number, add: number, tokens: number, begin: number, end: number, scratch: number): void;
  matmulTernaryWide(w: number, scales: number, q: number, qScale: number, y: number, cols: number, blockCols: number, yStride: number, add: number, tokens: number, begin: number, end: number, scratch: number): void;
  tileI16(q: number, at: number, cols: number, begin: number, end: number): void;
  matmulTernaryTiled(w: number, scales: number, at: number, qScale: number, y: number, cols: number, blockCols: number, yStride: number, add: number, tiles: number, begin: number, end: number, scratch: number): void;
  matmulI8RowDot(w: number, scales: number, q: number, qScale: number, y: number, cols: number, yStride: number, tokens: number, begin: number, end: number, scratch: number): void;
  matmulI8RowWide(w: number, scales: number, q: number, qScale: number, y: number, cols: number, yStride: number, tokens: number, begin: number, end: number, scratch: number): void;
  matmulF32(w: number, x: number, y: number, cols: number, xStride: number, yStride: number, add: number, tokens: number, begin: number, end: number): void;
  matmulF16(w: number, x: number, y: number, cols: number, xStride: number, yStride: number, add: number, tokens: number, begin: number, end: number, scratch: number): void;
  matmulI8Block(w: number, scales: number, x: number, y: number, cols: number, blockCols: number, xStride: number, yStride: number, add: number, tokens: number, begin: number, end: number): void;
  ropeAngles(freqs: number, table: number, control: number, half: number, scale: number, begin: number, end: number): void;
  ropeHalfF32(x: number, table: number, heads: number, headDim: number, half: number, xStride: number, begin: number, end: number): void;
  ropePairsF32(x: number, table: number, heads: number, headDim: number, half: number, xStride: number, begin: number, end: number): void;
  cacheWriteF32(x: number, control: number, offset: number, heads: number, headDim: number, capacity: number, xStride: number, begin: number, end: number): void;
  cacheWriteF16(x: number, control: number, offset: number, heads: number, headDim: number, capacity: number, xStride: number, begin: number, end: number): void;
  attentionF32(q: number, out: number, control: number, keys: number, values: number, heads: number, kvHeads: number, headDim: number, capacity: number, qStride: number, outStride: number, scale: number, begin: number, end: number, scratch: number): void;
  attentionF16(q: number, out: number, control: number, keys: number, values: number, heads: number, kvHeads: number, headDim: number, capacity: number, qStride: number, outStride: number, scale: number, begin: number, end: number, scratch: number): void;
  reluSquaredMulF32(gate: number, up: number, dim: number, stride: number, begin: number, end: number): void;
  siluMulF32(gate: number, up: number, dim: number, stride: number, begin: number, end: number): void;
  barrier(control: number, threads: number, epoch: number, spins: number): void;
  awaitAtLeast(address: number, sleepers: number, value: number, spins: number): void;
}
