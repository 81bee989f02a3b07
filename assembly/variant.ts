// What this build was compiled with, and what the engine makes of it.

/** The first byte of memory that belongs to the host. */
export function heapBase(): usize {
  return __heap_base;
}

/**
 * A relaxed dot whose second operand is beyond 7 bits, which the specification leaves open. The answer tells what the
 * engine made of it, and so whether the i32 dot is fast; every kernel gives the same bits whatever it is.
 * 1: unsigned, not saturated: the one x86 instruction. 2: signed: arm64. 0: saturated pairs: several x86 instructions.
 */
export function relaxedDotProbe(): i32 {
  if (!ASC_FEATURE_RELAXED_SIMD) return 0;
  const v = i32x4.relaxed_dot_i8x16_i7x16_add_s(i8x16.splat(127), i8x16.splat(-86), i32x4.splat(0));
  const sum = i32x4.extract_lane(v, 0);
  return sum == 4 * 127 * 170 ? 1 : sum == 4 * 127 * -86 ? 2 : 0;
}
