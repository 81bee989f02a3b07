// Scratch that kernels need per thread; the figures stand in their docstrings.
import { ROW_SUMS_BYTES, ROW_TOKENS, TILE_INDEX_BYTES, TILE_ROWS, TILE_TABLES_BYTES } from '../../assembly/layout.ts';

/** matmulTernaryDot, I16, Wide and matmulI8Row*: sums per block, and the widened activations. */
export function rowScratchBytes(cols: number, blockCols: number): number {
  return ROW_SUMS_BYTES + 4 * (ROW_TOKENS * (cols / blockCols) + 4) + 2 * ROW_TOKENS * cols;
}

/** matmulTernaryTiled: tables, indices, i16 and i32 sums of TILE_ROWS rows for each tile. */
export function tiledScratchBytes(tiles: number): number {
  return TILE_TABLES_BYTES + TILE_INDEX_BYTES + 96 * TILE_ROWS * tiles;
}
