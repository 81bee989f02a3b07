// What this build was compiled with, and what the engine makes of it.

/** Bit 0: relaxed SIMD, bit 1: threads. */
export function variantFlags(): i32 {
  return (ASC_FEATURE_RELAXED_SIMD ? 1 : 0) | (ASC_FEATURE_THREADS ? 2 : 0);
}

/** The first byte of memory that belongs to the host. */
export function heapBase(): usize {
  return __heap_base;
}

/**
 * A relaxed dot whose second operand is beyond 7 bits, which the specification leaves open: 1 where the engine
 * multiplies by an unsigned byte without saturation, as the one x86 instruction does; else 0. Every kernel gives the
 * same bits whatever the answer; it only tells which one is fast. arm64 answers 0 although its dot is one instruction.
 */
export function vnniProbe(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  const v = i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(-86), i32x4.splat(0));
  return i32x4.extract_lane(v, 0) == 4 * 127 * 170 ? 1 : 0;
}
