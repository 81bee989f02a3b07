// Ternary and binary matrices x tiles of 16 tokens whose activations are digits (digits.ts): four-Russians tables as in
// ternary-tiled.ts, a pass for each digit. A binary row's index of 8 columns is simply its byte.
import { DIGIT_TABLES_BYTES, TILE_INDEX_BYTES, TILE_ROWS, TILE_SPAN, TILE_TOKENS } from '../layout';
import { loadF16x4 } from '../simd';
import { addEntries, buildTable, indexSpan, PLANE_BYTES, STEP_COLS, TABLE_BYTES } from './ternary-tiled';

/** 8 binary columns: 256 entries of 16 i16. */
const BYTE_TABLE_BYTES: usize = 8192;

/** Entry e holds sum_j (bit j of e ? a[j] : -a[j]) for 16 tokens; a: eight rows of 16 i16. */
@inline function buildByteTable(table: usize, a: usize): void {
  let z0 = i16x8.splat(0), z1 = z0;
  for (let j: usize = 0; j < 256; j += 32) {
    z0 = i16x8.sub(z0, v128.load(a + j));
    z1 = i16x8.sub(z1, v128.load(a + j, 16));
  }
  v128.store(table, z0);
  v128.store(table, z1, 16);
  for (let size: usize = 32; size < BYTE_TABLE_BYTES; size <<= 1, a += 32) {
    z0 = i16x8.shl(v128.load(a), 1);
    z1 = i16x8.shl(v128.load(a, 16), 1);
    for (let p = table, d = table + size, e = d; p < e; p += 32, d += 32) {
      v128.store(d, i16x8.add(v128.load(p), z0));
      v128.store(d, i16x8.add(v128.load(p, 16), z1), 16);
    }
  }
}

/** The nibbles of two quads of columns, four rows a lane, in one vector: bits 0..3 the first quad's, 4..7 the second's. */
@inline function quads(x: v128, y: v128, nibble: v128): v128 {
  return v128.or(v128.and(x, nibble), i32x4.shl(v128.and(y, nibble), 4));
}

/** Table offsets (32 * byte) of field f of two times 8 columns: a word a row, two u16. */
@inline function byteOffsets(a: v128, b: v128, f: i32, ones: v128, gather: v128, low: v128, high: v128): v128 {
  const u = i32x4.mul(v128.and(i32x4.shr_u(a, f), ones), gather), v = i32x4.mul(v128.and(i32x4.shr_u(b, f), ones), gather);
  return v128.or(v128.and(i32x4.shr_u(u, 19), low), v128.and(i32x4.shr_u(v, 3), high));
}

/** `cols` columns of `rows` rows of B32, `groupBytes` for 32 rows -> offsets: planes [cols / 16] of [rows] words. */
function indexBytes(w: usize, index: usize, rows: i32, cols: i32, groupBytes: usize): void {
  const nibble = i32x4.splat(0x0f0f0f0f), ones = i32x4.splat(0x11111111), gather = i32x4.splat(0x01020408);
  const low = i32x4.splat(0x1fe0), high = i32x4.splat(0x1fe00000);
  for (const e = index + (<usize>rows << 2); index < e; index += 128, w += groupBytes) {
    let d = index;
    for (let b = w, g = w + (<usize>cols << 2); b < g; b += 64, d += PLANE_BYTES) {
      const x0 = v128.load(b), x1 = v128.load(b, 16), x2 = v128.load(b, 32), x3 = v128.load(b, 48);
      let u = quads(x0, x1, nibble), v = quads(x2, x3, nibble);
      v128.store(d, byteOffsets(u, v, 0, ones, gather, low, high));
      v128.store(d, byteOffsets(u, v, 1, ones, gather, low, high), 16);
      v128.store(d, byteOffsets(u, v, 2, ones, gather, low, high), 32);
      v128.store(d, byteOffsets(u, v, 3, ones, gather, low, high), 48);
      u = quads(i32x4.shr_u(x0, 4), i32x4.shr_u(x1, 4), nibble);
      v = quads(i32x4.shr_u(x2, 4), i32x4.shr_u(x3, 4), nibble);
      v128.store(d, byteOffsets(u, v, 0, ones, gather, low, high), 64);
      v128.store(d, byteOffsets(u, v, 1, ones, gather, low, high), 80);
      v128.store(d, byteOffsets(u, v, 2, ones, gather, low, high), 96);
      v128.store(d, byteOffsets(u, v, 3, ones, gather, low, high), 112);
    }
  }
}

/** sums[row] += the four table entries of each row: 32 columns; sums [rows, 16] i16. */
function addByteEntries(tables: usize, index: usize, sums: usize, rows: i32): void {
  for (const e = index + (<usize>rows << 2); index < e; index += 4, sums += 32) {
    let c0 = v128.load(sums), c1 = v128.load(sums, 16);
    let x = load<u32>(index);
    let i: usize = tables + (x & 0xffff);
    c0 = i16x8.add(c0, v128.load(i));
    c1 = i16x8.add(c1, v128.load(i, 16));
    i = tables + (x >> 16);
    c0 = i16x8.add(c0, v128.load(i, 8192));
    c1 = i16x8.add(c1, v128.load(i, 8208));
    x = load<u32>(index, 1 * PLANE_BYTES);
    i = tables + (x & 0xffff);
    c0 = i16x8.add(c0, v128.load(i, 16384));
    c1 = i16x8.add(c1, v128.load(i, 16400));
    i = tables + (x >> 16);
    c0 = i16x8.add(c0, v128.load(i, 24576));
    c1 = i16x8.add(c1, v128.load(i, 24592));
    v128.store(sums, c0);
    v128.store(sums, c1, 16);
  }
}

/** Eight tokens' number of digits, `digitBytes` apart, as two vectors of i32: `half` 0 or 1. The digits are cleared last. */
@inline function numbers(p: usize, digitBytes: usize, digits: i32, high: bool): v128 {
  const base = i32x4.splat(255);
  let v = extend(p, high);
  for (let d = 1; d < digits; d++) {
    p += digitBytes;
    v = i32x4.add(i32x4.mul(v, base), extend(p, high));
  }
  return v;
}

@inline function extend(p: usize, high: bool): v128 {
  return high ? i32x4.extend_high_i16x8_s(v128.load(p)) : i32x4.extend_low_i16x8_s(v128.load(p));
}

/** f32 sums [rows, 16] += numbers * (row's scale * token's), and the digit sums cleared. aScales: of the tile's first token. */
function flushBlock(
  shorts: usize, sums: usize, rows: i32, rowScales: usize, aScales: usize, blocks: i32, digits: i32,
): void {
  const zero = i16x8.splat(0), digitBytes: usize = TILE_ROWS << 5, s = <usize>blocks << 2;
  const a0 = tokenScales(aScales, s), a1 = tokenScales(aScales + 4 * s, s), a2 = tokenScales(aScales + 8 * s, s), a3 = tokenScales(aScales + 12 * s, s);
  for (const e = rowScales + (<usize>rows << 2); rowScales < e; rowScales += 4, shorts += 32, sums += 64) {
    const scale = v128.load32_splat(rowScales);
    flushTokens(sums, numbers(shorts, digitBytes, digits, false), scale, a0);
    flushTokens(sums + 16, numbers(shorts, digitBytes, digits, true), scale, a1);
    flushTokens(sums + 32, numbers(shorts + 16, digitBytes, digits, false), scale, a2);
    flushTokens(sums + 48, numbers(shorts + 16, digitBytes, digits, true), scale, a3);
    for (let d = 0, p = shorts; d < digits; d++, p += digitBytes) {
      v128.store(p, zero);
      v128.store(p, zero, 16);
    }
  }
}

@inline function flushTokens(sums: usize, v: v128, scale: v128, a: v128): void {
  v128.store(sums, f32x4.add(v128.load(sums), f32x4.mul(f32x4.convert_i32x4_s(v), f32x4.mul(scale, a))));
}

/** The scales of four tokens, `stride` bytes apart. */
@inline function tokenScales(p: usize, stride: usize): v128 {
  const v = v128.load32_lane(p + stride, v128.load32_zero(p), 1);
  return v128.load32_lane(p + 3 * stride, v128.load32_lane(p + 2 * stride, v, 2), 3);
}

/** A column block's scales of `rows` rows, groups of 32 `groupBytes` apart, as f32 one after another. */
@inline function gatherScales(scales: usize, rowScales: usize, rows: i32, groupBytes: usize, f16: bool): void {
  for (const e = rowScales + (<usize>rows << 2); rowScales < e; rowScales += 128, scales += groupBytes) {
    for (let o: usize = 0; o < 128; o += 16) v128.store(rowScales + o, f16 ? loadF16x4(scales + (o >> 1)) : v128.load(scales + o));
  }
}

/** Sums [rows, 16] -> y[token][rows]. */
@inline function finishTile(sums: usize, rows: i32, y: usize, strideBytes: usize, add: i32): void {
  for (let r = 0; r < rows; r += 4, sums += 256, y += 16) {
    for (let t: usize = 0; t < 16; t++) {
      let v = v128.load32_lane(sums + (t << 2), v128.load32_zero(sums + (t << 2)), 0);
      v = v128.load32_lane(sums + 64 + (t << 2), v, 1);
      v = v128.load32_lane(sums + 128 + (t << 2), v, 2);
      v = v128.load32_lane(sums + 192 + (t << 2), v, 3);
      const o = y + t * strideBytes;
      v128.store(o, add ? f32x4.add(v128.load(o), v) : v);
    }
  }
}

/** One digit's sums of the columns [0, cols) of a block. */
@inline function addColumns(at: usize, tables: usize, index: usize, sums: usize, rows: i32, cols: i32, binary: bool): void {
  for (let k = 0; k < cols; k += STEP_COLS) {
    if (binary) {
      for (let t = tables; t < tables + 4 * BYTE_TABLE_BYTES; t += BYTE_TABLE_BYTES, at += 256) buildByteTable(t, at);
      addByteEntries(tables, index, sums, rows);
      index += PLANE_BYTES << 1;
    } else {
      for (let t = tables; t < tables + 8 * TABLE_BYTES; t += TABLE_BYTES, at += 128) buildTable(t, at);
      addEntries(tables, index, sums, rows);
      index += PLANE_BYTES << 2;
    }
  }
}

@inline function tiled(
  w: usize, scales: usize, at: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tiles: usize, begin: i32, end: i32, scratch: usize, binary: bool,
): void {
  const first = load<i32>(tiles), last = load<i32>(tiles, 4), blocks = cols / blockCols, wBlocks = cols / wBlockCols, strideBytes = <usize>yStride << 2;
  if (first == last) return;
  const index = scratch + DIGIT_TABLES_BYTES, rowScales = index + TILE_INDEX_BYTES;
  const shorts = rowScales + (TILE_ROWS << 2), sums = shorts + <usize>digits * (TILE_ROWS << 5);
  const groupBytes = binary ? <usize>cols << 2 : <usize>cols << 3, scaleBytes: usize = binary ? 64 : 128;
  for (let r0 = begin; r0 < end; r0 += TILE_ROWS) {
    const rows = min(TILE_ROWS, end - r0), tileBytes = <usize>rows << 6, group: usize = r0 >> 5;
    memory.fill(shorts, 0, <usize>digits * (TILE_ROWS << 5));
    memory.fill(sums, 0, tileBytes * (last - first));
    for (let k0 = 0; k0 < cols; k0 += TILE_SPAN) {
      const k1 = min(cols, k0 + TILE_SPAN);
      if (binary) indexBytes(w + group * groupBytes + (<usize>k0 << 2), index, rows, k1 - k0, groupBytes);
      else indexSpan(w + group * groupBytes + (<usize>k0 << 3), index, rows, k1 - k0, groupBytes);
      for (let t: usize = first, into = sums; t < <usize>last; t++, into += tileBytes) {
        for (let k = k0, i = index; k < k1; k += blockCols, i += PLANE_BYTES * (blockCols / (binary ? 16 : 8))) {
          for (let d: usize = 0; d < <usize>digits; d++)
            addColumns(at + d * planeBytes + ((t * cols + k) << 5), scratch, i, shorts + d * (TILE_ROWS << 5), rows, blockCols, binary);
          gatherScales(scales + (group * wBlocks + k / wBlockCols) * scaleBytes, rowScales, rows, wBlocks * scaleBytes, binary);
          flushBlock(shorts, into, rows, rowScales, aScales + ((t * TILE_TOKENS * blocks + k / blockCols) << 2), blocks, digits);
        }
      }
    }
    for (let t: usize = first, from = sums; t < <usize>last; t++, from += tileBytes)
      finishTile(from, rows, y + t * TILE_TOKENS * strideBytes + (r0 << 2), strideBytes, add);
  }
}

/**
 * As matmulTernaryDigitsDot, for the tokens of whole tiles: same bits. Codes 0, 1, 2 only, in padded columns as well.
 *   at          [digits][tiles, cols, 16] i16, planes planeBytes apart: tileI16 of each digit
 *   tiles       address of the range [first, end) of tiles     y has room for whole tiles     blockCols 32, 64, 128 or 256
 *   scratch     DIGIT_TABLES_BYTES + TILE_INDEX_BYTES + (4 + 32 * digits + 64 * tiles) * TILE_ROWS bytes
 */
export function matmulTernaryDigitsTiled(
  w: usize, scales: usize, at: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tiles: usize, begin: i32, end: i32, scratch: usize,
): void {
  tiled(w, scales, at, planeBytes, aScales, y, cols, blockCols, wBlockCols, digits, yStride, add, tiles, begin, end, scratch, false);
}

/** As matmulTernaryDigitsTiled, of packing B32 as in matmulBinaryDigitsDot. */
export function matmulBinaryDigitsTiled(
  w: usize, scales: usize, at: usize, planeBytes: usize, aScales: usize, y: usize, cols: i32, blockCols: i32, wBlockCols: i32,
  digits: i32, yStride: i32, add: i32, tiles: usize, begin: i32, end: i32, scratch: usize,
): void {
  tiled(w, scales, at, planeBytes, aScales, y, cols, blockCols, wBlockCols, digits, yStride, add, tiles, begin, end, scratch, true);
}
