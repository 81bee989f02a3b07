// Ternary matrix x tiles of 16 tokens: the method of the four Russians. For each quad of columns a table holds all 81
// combinations of its activations; a row then costs one look-up and one addition where a dot needs 64 multiplications.
import { TILE_INDEX_BYTES, TILE_ROWS, TILE_SPAN, TILE_TABLES_BYTES, TILE_TOKENS } from '../layout';
import { MASK_0 } from './ternary';

export const ENTRY_BYTES: usize = 32;
export const TABLE_BYTES: usize = 81 * 32;
/** Columns that are added at a time: 8 tables of 2.6 KB stay in the first-level cache. */
export const STEP_COLS: i32 = 32;
/** Offsets of 8 columns: a word a row. Planes 8192 bytes apart would fall into the same cache sets, hence 64 more. */
export const PLANE_BYTES: usize = <usize>(TILE_ROWS << 2) + 64;
const PAIRS: usize = memory.data<u16>([259, 259, 259, 259, 259, 259, 259, 259]);
const QUADS: usize = memory.data<u16>([1, 9, 1, 9, 1, 9, 1, 9]);
const ENTRY_MASK: usize = memory.data<u16>([0x1fe0, 0x1fe0, 0x1fe0, 0x1fe0, 0x1fe0, 0x1fe0, 0x1fe0, 0x1fe0]);

/** Four columns of four tokens, `cols` apart: a word of tokens for each column. */
@inline function fourColumns(p: usize, cols: usize): v128 {
  let v = v128.load32_lane(p + cols, v128.load32_zero(p), 1);
  v = v128.load32_lane(p + 3 * cols, v128.load32_lane(p + 2 * cols, v, 2), 3);
  return i8x16.shuffle(v, v, 0, 4, 8, 12, 1, 5, 9, 13, 2, 6, 10, 14, 3, 7, 11, 15);
}

/** Eight tokens from p on of four columns -> d, the columns 32 bytes apart. */
@inline function tileEight(p: usize, cols: usize, d: usize): void {
  const a = fourColumns(p, cols), b = fourColumns(p + 4 * cols, cols);
  const low = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const high = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  v128.store(d, i16x8.extend_low_i8x16_s(low));
  v128.store(d, i16x8.extend_high_i8x16_s(low), 32);
  v128.store(d, i16x8.extend_low_i8x16_s(high), 64);
  v128.store(d, i16x8.extend_high_i8x16_s(high), 96);
}

/** q [T, cols] i8 -> at [tile, cols, 16] i16.         tiles [begin, end) of 16 tokens */
export function tileI16(q: usize, at: usize, cols: i32, begin: i32, end: i32): void {
  for (let tile = begin; tile < end; tile++) {
    const base = q + <usize>tile * cols * TILE_TOKENS;
    let d = at + ((<usize>tile * cols * TILE_TOKENS) << 1);
    for (let p = base, e = base + cols; p < e; p += 4, d += 128) {
      tileEight(p, cols, d);
      tileEight(p + 8 * <usize>cols, cols, d + 16);
    }
  }
}

/** Entry sum_j code_j 3^j holds sum_j (code_j - 1) a[j] for 16 tokens; a: four rows of 16 i16. */
@inline export function buildTable(table: usize, a: usize): void {
  let z0 = i16x8.neg(v128.load(a)), z1 = i16x8.neg(v128.load(a, 16));
  for (let j: usize = 32; j < 128; j += 32) {
    z0 = i16x8.sub(z0, v128.load(a + j));
    z1 = i16x8.sub(z1, v128.load(a + j, 16));
  }
  v128.store(table, z0);
  v128.store(table, z1, 16);
  let size = ENTRY_BYTES;
  for (let j: usize = 0; j < 128; j += 32, size *= 3) {
    z0 = v128.load(a + j);
    z1 = v128.load(a + j, 16);
    for (let p = table, d = table + size, e = d; p < e; p += 32, d += 32) {
      const u0 = i16x8.add(v128.load(p), z0), u1 = i16x8.add(v128.load(p, 16), z1);
      v128.store(d, u0);
      v128.store(d, u1, 16);
      v128.store(d + size, i16x8.add(u0, z0));
      v128.store(d + size, i16x8.add(u1, z1), 16);
    }
  }
}

/**
 * Codes c0..c3 of a quad, one row a lane -> 256 * (c0 + 3 c1 + 9 c2 + 27 c3), and less than 64 more.
 * The product by 259 leaves c0 + 3 c1 in the upper byte of a 16-bit lane, and 3 c0 below.
 */
@inline function baseThree(codes: v128, pairs: v128, quads: v128): v128 {
  return i32x4.dot_i16x8_s(i16x8.mul(codes, pairs), quads);
}

/** Two quads of four rows -> the offsets of their table entries: a word a row, two u16. */
@inline function offsets(x: v128, y: v128, mask: v128, pairs: v128, quads: v128, entry: v128): v128 {
  const a = baseThree(v128.and(x, mask), pairs, quads), b = baseThree(v128.and(y, mask), pairs, quads);
  return v128.and(v128.or(i32x4.shr_u(a, 3), i32x4.shl(b, 13)), entry);
}

/** `cols` columns of `rows` rows of V32, `groupBytes` for 32 rows -> offsets: planes [cols / 8] of [rows] words. */
export function indexSpan(w: usize, index: usize, rows: i32, cols: i32, groupBytes: usize): void {
  const m = v128.load(MASK_0), p = v128.load(PAIRS), q = v128.load(QUADS), n = v128.load(ENTRY_MASK);
  for (const e = index + (<usize>rows << 2); index < e; index += 128, w += groupBytes) {
    let d = index;
    for (let b = w, f = w + (<usize>cols << 3); b < f; b += 64, d += PLANE_BYTES) {
      let x = v128.load(b), y = v128.load(b, 32);
      v128.store(d, offsets(x, y, m, p, q, n));
      v128.store(d, offsets(i16x8.shr_u(x, 2), i16x8.shr_u(y, 2), m, p, q, n), 32);
      v128.store(d, offsets(i16x8.shr_u(x, 4), i16x8.shr_u(y, 4), m, p, q, n), 64);
      v128.store(d, offsets(i16x8.shr_u(x, 6), i16x8.shr_u(y, 6), m, p, q, n), 96);
      x = v128.load(b, 16);
      y = v128.load(b, 48);
      v128.store(d, offsets(x, y, m, p, q, n), 16);
      v128.store(d, offsets(i16x8.shr_u(x, 2), i16x8.shr_u(y, 2), m, p, q, n), 48);
      v128.store(d, offsets(i16x8.shr_u(x, 4), i16x8.shr_u(y, 4), m, p, q, n), 80);
      v128.store(d, offsets(i16x8.shr_u(x, 6), i16x8.shr_u(y, 6), m, p, q, n), 112);
    }
  }
}

@inline function addRow(tables: usize, index: usize, sums: usize): void {
  let c0 = v128.load(sums), c1 = v128.load(sums, 16);
  let x = load<u32>(index);
  let i: usize = tables + (x & 0xffff);
  c0 = i16x8.add(c0, v128.load(i));
  c1 = i16x8.add(c1, v128.load(i, 16));
  i = tables + (x >> 16);
  c0 = i16x8.add(c0, v128.load(i, 2592));
  c1 = i16x8.add(c1, v128.load(i, 2608));
  x = load<u32>(index, 1 * PLANE_BYTES);
  i = tables + (x & 0xffff);
  c0 = i16x8.add(c0, v128.load(i, 5184));
  c1 = i16x8.add(c1, v128.load(i, 5200));
  i = tables + (x >> 16);
  c0 = i16x8.add(c0, v128.load(i, 7776));
  c1 = i16x8.add(c1, v128.load(i, 7792));
  x = load<u32>(index, 2 * PLANE_BYTES);
  i = tables + (x & 0xffff);
  c0 = i16x8.add(c0, v128.load(i, 10368));
  c1 = i16x8.add(c1, v128.load(i, 10384));
  i = tables + (x >> 16);
  c0 = i16x8.add(c0, v128.load(i, 12960));
  c1 = i16x8.add(c1, v128.load(i, 12976));
  x = load<u32>(index, 3 * PLANE_BYTES);
  i = tables + (x & 0xffff);
  c0 = i16x8.add(c0, v128.load(i, 15552));
  c1 = i16x8.add(c1, v128.load(i, 15568));
  i = tables + (x >> 16);
  c0 = i16x8.add(c0, v128.load(i, 18144));
  c1 = i16x8.add(c1, v128.load(i, 18160));
  v128.store(sums, c0);
  v128.store(sums, c1, 16);
}

/** sums[row] += the eight table entries of each row; sums [rows, 16] i16. */
export function addEntries(tables: usize, index: usize, sums: usize, rows: i32): void {
  for (const e = index + (<usize>rows << 2); index < e; index += 8, sums += 64) {
    addRow(tables, index + 0, sums + 0);
    addRow(tables, index + 4, sums + 32);
  }
}

/** i16 sums into i32 ones, and cleared: [rows, 16] each. */
@inline function widen(sums: usize, ints: usize, rows: i32): void {
  const zero = i32x4.splat(0);
  for (const e = sums + (<usize>rows << 5); sums < e; sums += 16, ints += 32) {
    const c = v128.load(sums);
    v128.store(sums, zero);
    v128.store(ints, i32x4.add(v128.load(ints), i32x4.extend_low_i16x8_s(c)));
    v128.store(ints, i32x4.add(v128.load(ints, 16), i32x4.extend_high_i16x8_s(c)), 16);
  }
}

/** f32 sums += i16 sums * the rows' scales of this block; the i16 sums are cleared. scales: rows in groups of 32. */
@inline function flushBlock(sums: usize, floats: usize, rows: i32, scales: usize, groupBytes: usize): void {
  const zero = i32x4.splat(0);
  for (let r = 0; r < rows; r++) {
    const scale = v128.load32_splat(scales + <usize>(r >> 5) * groupBytes + ((r & 31) << 2));
    for (const e = sums + 32; sums < e; sums += 16, floats += 32) {
      const c = v128.load(sums);
      v128.store(sums, zero);
      const low = f32x4.convert_i32x4_s(i32x4.extend_low_i16x8_s(c)), high = f32x4.convert_i32x4_s(i32x4.extend_high_i16x8_s(c));
      v128.store(floats, f32x4.add(v128.load(floats), f32x4.mul(low, scale)));
      v128.store(floats, f32x4.add(v128.load(floats, 16), f32x4.mul(high, scale)), 16);
    }
  }
}

/** Four rows of four tokens, transposed and written: y[token][row .. row + 4). */
@inline function storeTokens(a: v128, b: v128, c: v128, d: v128, y: usize, strideBytes: usize, s: usize, add: i32): void {
  const ab0 = i8x16.shuffle(a, b, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const ab1 = i8x16.shuffle(a, b, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  const cd0 = i8x16.shuffle(c, d, 0, 1, 2, 3, 16, 17, 18, 19, 4, 5, 6, 7, 20, 21, 22, 23);
  const cd1 = i8x16.shuffle(c, d, 8, 9, 10, 11, 24, 25, 26, 27, 12, 13, 14, 15, 28, 29, 30, 31);
  storeToken(i8x16.shuffle(ab0, cd0, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), y, s, add);
  storeToken(i8x16.shuffle(ab0, cd0, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), y + strideBytes, s + 4, add);
  storeToken(i8x16.shuffle(ab1, cd1, 0, 1, 2, 3, 4, 5, 6, 7, 16, 17, 18, 19, 20, 21, 22, 23), y + 2 * strideBytes, s + 8, add);
  storeToken(i8x16.shuffle(ab1, cd1, 8, 9, 10, 11, 12, 13, 14, 15, 24, 25, 26, 27, 28, 29, 30, 31), y + 3 * strideBytes, s + 12, add);
}

@inline function storeToken(v: v128, y: usize, s: usize, add: i32): void {
  let r = f32x4.div(v, v128.load32_splat(s));
  if (add) r = f32x4.add(v128.load(y), r);
  v128.store(y, r);
}

/** A sum as f32: block sums are so already; whole-row sums are scaled here, as 0 + sum * scale like the row kernels. */
@inline function asF32(p: usize, scale: usize, floats: bool): v128 {
  const v = v128.load(p);
  return floats ? v : f32x4.add(f32x4.splat(0), f32x4.mul(f32x4.convert_i32x4_s(v), v128.load32_splat(scale)));
}

/** One tile's sums [rows, 16] -> y[tile's tokens][rows]. */
@inline function finishTile(
  sums: usize, rows: i32, scales: usize, groupBytes: usize, y: usize, strideBytes: usize, qScale: usize, add: i32, floats: bool,
): void {
  for (let r = 0; r < rows; r += 4, sums += 256, y += 16) {
    const scale = scales + <usize>(r >> 5) * groupBytes + ((r & 31) << 2);
    for (let g: usize = 0; g < 4; g++) {
      const p = sums + (g << 4);
      storeTokens(
        asF32(p, scale, floats), asF32(p + 64, scale + 4, floats), asF32(p + 128, scale + 8, floats), asF32(p + 192, scale + 12, floats),
        y + (g << 2) * strideBytes, strideBytes, qScale + (g << 4), add,
      );
    }
  }
}

/**
 * As matmulTernaryDot, for the tokens of whole tiles: same bits. Codes 0, 1, 2 only, in padded columns as well.
 *   at      [tiles, cols, 16] i16 from tileI16     tiles: address of the range [first, end) of tiles
 *   blockCols: cols, or 32, 64, 128 or 256           y has room for whole tiles
 *   scratch TILE_TABLES_BYTES + TILE_INDEX_BYTES + (32 + 64 * tiles) * TILE_ROWS bytes
 * TILE_SPAN columns of TILE_ROWS rows are indexed once for all tiles. Then a tile adds up 32 columns at a time, so that
 * their tables are built once for all those rows; its i16 sums serve one span, its i32 or f32 sums all columns.
 */
export function matmulTernaryTiled(
  w: usize, scales: usize, at: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  tiles: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tiles), last = load<i32>(tiles, 4), blocks = cols / blockCols, strideBytes = <usize>yStride << 2;
  // A chunk of a few tokens has no tile; indexing the weights would cost as much as several tokens.
  if (first == last) return;
  const index = scratch + TILE_TABLES_BYTES, groupBytes = <usize>blocks << 7, floats = blocks > 1;
  const shorts = index + TILE_INDEX_BYTES, sums = shorts + (<usize>TILE_ROWS << 5);
  for (let r0 = begin; r0 < end; r0 += TILE_ROWS) {
    const rows = min(TILE_ROWS, end - r0), tileBytes = <usize>rows << 6;
    const group = scales + ((<usize>r0 * blocks) << 2);
    memory.fill(shorts, 0, <usize>rows << 5);
    memory.fill(sums, 0, tileBytes * (last - first));
    for (let k0 = 0; k0 < cols; k0 += TILE_SPAN) {
      const k1 = min(cols, k0 + TILE_SPAN);
      indexSpan(w + ((<usize>r0 * cols) >> 2) + (k0 << 3), index, rows, k1 - k0, <usize>cols << 3);
      for (let t = first, into = sums; t < last; t++, into += tileBytes) {
        let a = at + ((<usize>t * cols + k0) << 5);
        for (let k = k0, i = index; k < k1; i += PLANE_BYTES << 2) {
          for (let table = scratch; table < index; table += TABLE_BYTES, a += 128) buildTable(table, a);
          addEntries(scratch, i, shorts, rows);
          const block = floats ? k / blockCols : 0;
          k += STEP_COLS;
          if (!floats) {
            if (k == k1) widen(shorts, into, rows);
          } else if (k % blockCols == 0) flushBlock(shorts, into, rows, group + (<usize>block << 7), groupBytes);
        }
      }
    }
    for (let t = first, from = sums; t < last; t++, from += tileBytes) {
      const token: usize = t * TILE_TOKENS;
      finishTile(from, rows, group, groupBytes, y + token * strideBytes + (r0 << 2), strideBytes, qScale + (token << 2), add, floats);
    }
  }
}
