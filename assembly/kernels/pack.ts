// Weights into our packings, at load: docs/PACKING.md draws them.

/** codes [32, cols] u8 (0, 1, 2), row-major -> w: one V32 block of 32 rows, cols * 8 bytes. cols a multiple of 4. */
export function packV32(codes: usize, w: usize, cols: i32): void {
  const row: usize = cols;
  for (const e = codes + cols; codes < e; codes += 4, w += 32) {
    for (let i: usize = 0; i < 8; i++) {
      const p = codes + i * row;
      store<u32>(
        w + (i << 2),
        load<u32>(p) | (load<u32>(p + 8 * row) << 2) | (load<u32>(p + 16 * row) << 4) | (load<u32>(p + 24 * row) << 6),
      );
    }
  }
}

/** Bit j of byte i of v becomes bit i of byte j. */
@inline function transposeBits(v: u64): u64 {
  let t = (v ^ (v >> 7)) & 0x00aa00aa00aa00aa;
  v ^= t ^ (t << 7);
  t = (v ^ (v >> 14)) & 0x0000cccc0000cccc;
  v ^= t ^ (t << 14);
  t = (v ^ (v >> 28)) & 0x00000000f0f0f0f0;
  return v ^ t ^ (t << 28);
}

/** bits [32, cols / 8] row-major, lowest first, 1 is +1 -> w: one B32 block of 32 rows, cols * 4 bytes. cols a multiple of 8. */
export function packB32(bits: usize, w: usize, cols: i32): void {
  const row = <usize>cols >> 3;
  for (const e = bits + row; bits < e; bits++, w += 32) {
    for (let lane: usize = 0; lane < 4; lane++) {
      let v: u64 = 0;
      for (let f: usize = 0; f < 8; f++) v |= <u64>load<u8>(bits + (4 * f + lane) * row) << (f << 3);
      v = transposeBits(v);
      store<u32>(w + (lane << 2), <u32>v);
      store<u32>(w + (lane << 2), <u32>(v >> 32), 16);
    }
  }
}

/**
 * x [16, cols] f32, row-major -> w: one H16 block, 16 * cols bytes; scales [16] f32 = max |row| / 127.
 * u8 = 128 + round_half_even(x * (127 / max |row|)). cols a multiple of 4.
 */
export function packH16(x: usize, w: usize, scales: usize, cols: i32): void {
  for (let r: usize = 0; r < 16; r++) {
    const row = x + r * (<usize>cols << 2);
    let most: f32 = 0;
    for (let p = row, e = row + (<usize>cols << 2); p < e; p += 4) most = max<f32>(most, abs<f32>(load<f32>(p)));
    // A row this small is zeros: 127 / most would overflow below 4e-37, and no activation makes such a row matter.
    const scale = most / <f32>127.0, inverse: f32 = most > 1e-30 ? <f32>127.0 / most : 0;
    store<f32>(scales + (r << 2), scale);
    let d = w + (r << 2);
    for (let p = row, e = row + (<usize>cols << 2); p < e; p += 16, d += 64) {
      const q = i32x4.trunc_sat_f32x4_s(f32x4.nearest(f32x4.mul(v128.load(p), f32x4.splat(inverse))));
      const u = i32x4.add(q, i32x4.splat(128)), h = i16x8.narrow_i32x4_u(u, u);
      v128.store32_lane(d, i8x16.narrow_i16x8_u(h, h), 0);
    }
  }
}
