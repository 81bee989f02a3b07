// Asking for memory before it is used.

/**
 * Short runs of a cache are over before the hardware has begun to prefetch; not worth it with more rows to compute
 * meanwhile, or beyond so many positions, where it has (docs/LOG.md).
 */
export const TOUCH_ROWS: i32 = 2;
export const TOUCH_POSITIONS: i32 = 256;

/** Reads a word of each cache line: misses overlap here, and would be waited for one by one where they are used. */
@inline export function touch(p: usize, bytes: usize, sink: usize): void {
  let x: u32 = 0;
  for (const e = p + bytes; p < e; p += 64) x |= load<u32>(p);
  store<u32>(sink, x);
}
