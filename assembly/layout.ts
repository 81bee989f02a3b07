// Numbers that both sides share: plain constants only, the host imports this file too.

/** Rows that one packed block of the row-interleaved packings holds (docs/PACKING.md). */
export const BLOCK_ROWS = 32;
