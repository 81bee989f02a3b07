// The ABI: one export line per kernel, in the order in which a token meets them. Numbers only; the host owns memory.
export { variantFlags, heapBase, relaxedDotProbe } from './variant';
export { packV32, packH16 } from './kernels/pack';
export { embedF32, embedF16, embedI8Block, embedI8Row } from './kernels/embed';
export { rmsNormF32, rmsNormQuantizeI8, quantizeI8, rmsNormHeadsF32 } from './kernels/norm';
export { matmulTernaryDot } from './kernels/ternary-dot';
export { matmulTernaryI16 } from './kernels/ternary-i16';
export { matmulTernaryWide } from './kernels/ternary-wide';
export { tileI16, matmulTernaryTiled } from './kernels/ternary-tiled';
export { matmulI8RowDot, matmulI8RowWide } from './kernels/int8';
export { matmulF32, matmulF16, matmulI8Block } from './kernels/dense';
export { ropeAngles, ropeHalfF32, ropePairsF32 } from './kernels/rope';
export { cacheWriteF32, cacheWriteF16 } from './kernels/cache';
export { attentionF32, attentionF16 } from './kernels/attention';
export { reluSquaredMulF32, siluMulF32 } from './kernels/activation';
export { barrier, awaitAtLeast } from './barrier';
