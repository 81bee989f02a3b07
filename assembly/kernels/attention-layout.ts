// Numbers of attention and its caches that the host needs too: plain constants only.

/** Positions of a block of the int8 and int4 caches: appended one by one, room is made for whole blocks. */
export const KV_BLOCK = 64;
/** Rows (heads of tokens) that read a kv head together in integer attention. */
export const ATTENTION_ROWS = 16;
/** Rows that do so over f32 and f16 where a token has fewer heads to a kv head. Scratch depends on it (attentionF32). */
export const FLOAT_ROWS = 4;
