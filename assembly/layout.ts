// Numbers that both sides share: plain constants only, the host imports this file too.

/** Rows of a block in the packing V32 (docs/PACKING.md); rows are padded to it, thread ranges begin at it. */
export const BLOCK_ROWS = 32;
/** Columns of ternary and int8 matrices, and of the int8 activations, are padded to a multiple of this. */
export const COLS_ALIGN = 32;
/** Tokens that the tiled matrix kernel takes at once. */
export const TILE_TOKENS = 16;
/** Rows whose sums the tiled kernel keeps in scratch at a time. */
export const TILE_ROWS = 2048;
/** Columns after which the tiled kernel's i16 sums may overflow: 64 table entries of at most 508. */
export const TILE_SPAN = 256;
/** Scratch of the tiled kernel before its sums: 8 tables of 81 entries of 16 i16; 32 planes of a word a row and a gap. */
export const TILE_TABLES_BYTES = 20736;
export const TILE_INDEX_BYTES = 264192;
/** Tables of the tiled kernels for digits: 4 of 256 entries of 16 i16 (binary), or 8 of 81. */
export const DIGIT_TABLES_BYTES = 32768;
/** More tokens than this are never given to a row kernel at once (the scratch holds their sums and widened copies). */
export const ROW_TOKENS = 16;
/** Scratch of mambaF32: what the channels of a head share, for eight tokens. */
export const MAMBA_SCRATCH_BYTES = 64;
/** Rows whose candidates headRefine lists at a time. */
export const HEAD_SPAN = 2048;
/** Positions of a block of the int8 and int4 caches: appended one by one, room is made for whole blocks. */
export const KV_BLOCK = 64;
/** Rows (heads of tokens) that read a kv head together in integer attention. */
export const ATTENTION_ROWS = 16;
/** Rows that do so over f32 and f16 where a token has fewer heads to a kv head. Scratch depends on it (attentionF32). */
export const FLOAT_ROWS = 4;
/**
 * Scratch of the row kernels before the sums: 32 rows of f32 and of i32 for ROW_TOKENS tokens, and 64 columns of 32 rows,
 * unpacked.
 */
export const ROW_SUMS_BYTES = 6144;

// The control block: byte offsets. A token range is two i32, [first, end).
export const RANGE_ALL = 0;
export const RANGE_REST = 16;
/** In tiles of TILE_TOKENS. */
export const RANGE_TILES = 24;
export const RANGE_HEAD = 32;
/** Row of the residual stream that row 0 of the head reads. */
export const HEAD_SOURCE = 40;
/** A word that is always 0. */
export const ZERO = 44;
/** Absolute position of the chunk's first token. */
export const POSITION = 48;
/** Address of the session's keys and values. */
export const KV_ADDRESS = 52;
/** Index of the plan that the pool walks. */
export const COMMAND_PLAN = 56;
/** How many of the greatest logits must be exact where the head estimates first; 0: all. */
export const HEAD_TOP = 60;
export const BARRIER_ARRIVED = 128;
export const BARRIER_EPOCH = 192;
export const BARRIER_SLEEPERS = 256;
/** Number of a thread that died in the middle of a plan; on the sleepers' line, which only they read. */
export const BARRIER_FAILED = 260;
/** Rises by one for each plan to walk; the pool's threads wait for it. */
export const COMMAND = 320;
export const COMMAND_SLEEPERS = 384;
/**
 * How many chunks of a stage have been taken: three words 64 bytes apart, used in turn. While one is in use the next is
 * set to 0: its last users have passed two barriers since.
 */
export const CLAIMS = 448;
export const CONTROL_BYTES = 640;
