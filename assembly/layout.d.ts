/** Rows of a block in the packing V32 (docs/PACKING.md); rows are padded to it, thread ranges begin at it. */
export declare const BLOCK_ROWS = 32;
/** Columns of ternary and int8 matrices, and of the int8 activations, are padded to a multiple of this. */
export declare const COLS_ALIGN = 32;
/** Tokens that the tiled matrix kernel takes at once. */
export declare const TILE_TOKENS = 16;
/** Rows whose sums the tiled kernel keeps in scratch at a time. */
export declare const TILE_ROWS = 1024;
/** Columns after which the tiled kernel's i16 sums may overflow: 64 table entries of at most 508. */
export declare const TILE_SPAN = 256;
/** Scratch of the tiled kernel before its sums: 8 tables of 81 entries of 16 i16, 8 index bytes a row. */
export declare const TILE_TABLES_BYTES = 20736;
export declare const TILE_INDEX_BYTES = 8192;
/** More tokens than this are never given to a row kernel at once (the scratch holds their sums and widened copies). */
export declare const ROW_TOKENS = 16;
/** Scratch of the row kernels before the sums: 32 rows of f32 or i32, twice. */
export declare const ROW_SUMS_BYTES = 256;
export declare const RANGE_ALL = 0;
export declare const RANGE_REST = 16;
/** In tiles of TILE_TOKENS. */
export declare const RANGE_TILES = 24;
export declare const RANGE_HEAD = 32;
/** Row of the residual stream that row 0 of the head reads. */
export declare const HEAD_SOURCE = 40;
/** A word that is always 0. */
export declare const ZERO = 44;
/** Absolute position of the chunk's first token. */
export declare const POSITION = 48;
/** Address of the session's keys and values. */
export declare const KV_ADDRESS = 52;
/** Index of the plan that the pool walks. */
export declare const COMMAND_PLAN = 56;
export declare const BARRIER_ARRIVED = 128;
export declare const BARRIER_EPOCH = 192;
export declare const BARRIER_SLEEPERS = 256;
/** Rises by one for each plan to walk; the pool's threads wait for it. */
export declare const COMMAND = 320;
export declare const COMMAND_SLEEPERS = 384;
export declare const CONTROL_BYTES = 448;
