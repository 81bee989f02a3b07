// Ternary matrix x tiles of 16 tokens: the method of the four Russians. For each quad of columns a table holds all 81
// combinations of its activations; a row then costs one look-up and one addition where a dot needs 64 multiplications.
import { TILE_INDEX_BYTES, TILE_ROWS, TILE_SPAN, TILE_TABLES_BYTES, TILE_TOKENS } from '../layout';
import { MASK_0 } from './ternary';

const ENTRY_BYTES: usize = 32;
const TABLE_BYTES: usize = 81 * 32;
/** Columns that are indexed at a time: 8 tables of 2.6 KB stay in the first-level cache. */
const STEP_COLS: i32 = 32;
const POWERS_I8: usize = memory.data<u8>([1, 3, 9, 27, 1, 3, 9, 27, 1, 3, 9, 27, 1, 3, 9, 27]);
const POWERS_I16: usize = memory.data<u16>([1, 9, 1, 9, 1, 9, 1, 9]);
const LOW_BYTE: usize = memory.data<u16>([255, 255, 255, 255, 255, 255, 255, 255]);

/** q [T, cols] i8 -> at [tile, cols, 16] i16.         tiles [begin, end) of 16 tokens */
export function tileI16(q: usize, at: usize, cols: i32, begin: i32, end: i32): void {
  for (let tile = begin; tile < end; tile++) {
    const base = q + <usize>tile * cols * TILE_TOKENS;
    let d = at + ((<usize>tile * cols * TILE_TOKENS) << 1);
    for (let p = base, e = base + cols; p < e; p += 4, d += 128) {
      for (let t: usize = 0; t < <usize>TILE_TOKENS; t++) {
        const v = load<u32>(p + t * cols);
        store<i16>(d + (t << 1), <i8>v);
        store<i16>(d + (t << 1), <i8>(v >> 8), 32);
        store<i16>(d + (t << 1), <i8>(v >> 16), 64);
        store<i16>(d + (t << 1), <i8>(v >> 24), 96);
      }
    }
  }
}

/** Entry sum_j code_j 3^j holds sum_j (code_j - 1) a[j] for 16 tokens; a: four rows of 16 i16. */
@inline function buildTable(table: usize, a: usize): void {
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

/** Codes of a quad (one row a lane) -> their base-3 number, below bit 8 of the lane, added to `sum`. */
@inline function baseThree(codes: v128, sum: v128): v128 {
  if (ASC_FEATURE_RELAXED_SIMD) return i32x4.relaxed_dot_i8x16_i7x16_add_s(v128.load(POWERS_I8), codes, sum);
  const high = i16x8.shr_u(codes, 8);
  const pairs = i16x8.add(v128.and(codes, v128.load(LOW_BYTE)), i16x8.add(high, i16x8.shl(high, 1)));
  return i32x4.add(sum, i32x4.dot_i16x8_s(pairs, v128.load(POWERS_I16)));
}

/** 32 columns of `rows` rows from V32 into table indices: two words a row, [2, rows] u32, a byte a quad. */
function indexRows(w: usize, index: usize, rows: i32, cols: i32): void {
  const m = v128.load(MASK_0), plane = <usize>rows << 2, zero = i32x4.splat(0);
  for (const e = index + plane; index < e; index += 128, w += <usize>cols << 3) {
    for (let c = 0; c < 2; c++) {
      const b = w + (c << 7), d = index + (c ? plane : 0);
      for (let h: usize = 0; h < 32; h += 16) {
        let x0 = v128.load(b + h), x1 = v128.load(b + h, 32), x2 = v128.load(b + h, 64), x3 = v128.load(b + h, 96);
        for (let f: usize = 0; f < 128; f += 32) {
          let i = baseThree(v128.and(x3, m), zero);
          i = baseThree(v128.and(x2, m), i32x4.shl(i, 8));
          i = baseThree(v128.and(x1, m), i32x4.shl(i, 8));
          i = baseThree(v128.and(x0, m), i32x4.shl(i, 8));
          v128.store(d + h + f, i);
          x0 = i16x8.shr_u(x0, 2);
          x1 = i16x8.shr_u(x1, 2);
          x2 = i16x8.shr_u(x2, 2);
          x3 = i16x8.shr_u(x3, 2);
        }
      }
    }
  }
}

/** sums[row] += the eight table entries of each row; sums [rows, 16] i16. */
@inline function addEntries(tables: usize, index: usize, sums: usize, rows: i32): void {
  const plane = <usize>rows << 2;
  for (const e = index + plane; index < e; index += 4, sums += 32) {
    let c0 = v128.load(sums), c1 = v128.load(sums, 16);
    let x = load<u32>(index);
    let i: usize = tables + ((x << 5) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i));
    c1 = i16x8.add(c1, v128.load(i, 16));
    i = tables + ((x >> 3) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 2592));
    c1 = i16x8.add(c1, v128.load(i, 2608));
    i = tables + ((x >> 11) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 5184));
    c1 = i16x8.add(c1, v128.load(i, 5200));
    i = tables + ((x >> 19) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 7776));
    c1 = i16x8.add(c1, v128.load(i, 7792));
    x = load<u32>(index + plane);
    i = tables + ((x << 5) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 10368));
    c1 = i16x8.add(c1, v128.load(i, 10384));
    i = tables + ((x >> 3) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 12960));
    c1 = i16x8.add(c1, v128.load(i, 12976));
    i = tables + ((x >> 11) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 15552));
    c1 = i16x8.add(c1, v128.load(i, 15568));
    i = tables + ((x >> 19) & 0x1fe0);
    c0 = i16x8.add(c0, v128.load(i, 18144));
    c1 = i16x8.add(c1, v128.load(i, 18160));
    v128.store(sums, c0);
    v128.store(sums, c1, 16);
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
 * As matmulTernaryDot, for the tokens of whole tiles: same bits.
 *   at      [tiles, cols, 16] i16 from tileI16     tiles: address of the range [first, end) of tiles
 *   blockCols: cols, or 32, 64, 128 or 256           y has room for whole tiles
 *   scratch TILE_TABLES_BYTES + TILE_INDEX_BYTES + 96 * TILE_ROWS * tiles bytes
 */
export function matmulTernaryTiled(
  w: usize, scales: usize, at: usize, qScale: usize, y: usize, cols: i32, blockCols: i32, yStride: i32, add: i32,
  tiles: usize, begin: i32, end: i32, scratch: usize,
): void {
  const first = load<i32>(tiles), last = load<i32>(tiles, 4), blocks = cols / blockCols;
  const index = scratch + TILE_TABLES_BYTES, groupBytes = <usize>blocks << 7, floats = blocks > 1;
  for (let r0 = begin; r0 < end; r0 += TILE_ROWS) {
    const rows = min(TILE_ROWS, end - r0);
    const shorts = index + TILE_INDEX_BYTES, sums = shorts + (<usize>(last - first) * TILE_ROWS << 5);
    const group = scales + ((<usize>r0 * blocks) << 2);
    memory.fill(shorts, 0, (<usize>(last - first) * TILE_ROWS) * 96);
    let b = w + ((<usize>r0 * cols) >> 2), a = at + ((<usize>first * cols) << 5);
    for (let k = 0; k < cols; k += STEP_COLS, b += STEP_COLS << 3, a += STEP_COLS << 5) {
      indexRows(b, index, rows, cols);
      const done = k + STEP_COLS, flushed = done == cols || done % (floats ? blockCols : TILE_SPAN) == 0;
      for (let t = 0; t < last - first; t++) {
        const s16 = shorts + ((<usize>t * TILE_ROWS) << 5), s32 = sums + ((<usize>t * TILE_ROWS) << 6);
        const x = a + ((<usize>t * cols) << 5);
        for (let j: usize = 0; j < 8; j++) buildTable(scratch + j * TABLE_BYTES, x + (j << 7));
        addEntries(scratch, index, s16, rows);
        if (flushed) {
          if (floats) flushBlock(s16, s32, rows, group + <usize>(k / blockCols << 7), groupBytes);
          else widen(s16, s32, rows);
        }
      }
    }
    for (let t = 0; t < last - first; t++) {
      const token = <usize>(first + t) * TILE_TOKENS;
      finishTile(
        sums + ((<usize>t * TILE_ROWS) << 6), rows, group, groupBytes, y + ((token * yStride + r0) << 2), <usize>yStride << 2,
        qScale + (token << 2), add, floats,
      );
    }
  }
}
