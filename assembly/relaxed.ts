// The kernels that need relaxed SIMD, compiled a second time with it, into a module of their own over the same memory (its
// constants at `memoryBase` of asconfig.json). They take the place of those in index.ts, which only trap.
export { heapBase, relaxedDotProbe } from './variant';
export { matmulTernaryDot } from './kernels/ternary-dot';
export { matmulTernaryI16 } from './kernels/ternary-i16';
export { matmulI8RowDot } from './kernels/int8';
export { matmulHead4Dot, matmulHead4I16 } from './kernels/head';
export { headRefineDot } from './kernels/head-refine';
export { matmulTernaryPaired } from './kernels/ternary-paired';
export { matmulTernaryDigitsDot } from './kernels/ternary-digits';
export { matmulBinaryDigitsDot } from './kernels/binary';
export { attentionI8Dot, attentionI4Dot } from './kernels/attention-int';
