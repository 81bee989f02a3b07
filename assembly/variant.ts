// What this build was compiled with.

/** Bit 0: relaxed SIMD, bit 1: threads. */
export function variantFlags(): i32 {
  return (ASC_FEATURE_RELAXED_SIMD ? 1 : 0) | (ASC_FEATURE_THREADS ? 2 : 0);
}
