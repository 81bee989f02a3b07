// Packing at load: bytes equal to the drawings', and read back one weight at a time.
import { expect, test } from 'vitest';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { packB32, packH16, packV32, quantizeRows, readH16, readV32 } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';
import type { Arena } from './arena.ts';
import { sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

function packH16Kernel(v: Variant, arena: Arena, x: Float32Array<ArrayBuffer>, rows: number, cols: number) {
  const from = arena.input('x', x);
  const w = arena.region('w', rows * cols);
  const scales = arena.region('scales', rows * 4);
  for (let r = 0; r < rows; r += 16) v.kernels.packH16(from + r * cols * 4, w + r * cols, scales + r * 4, cols);
  arena.check();
  return { w: arena.u8(w, rows * cols).slice(), scales: arena.f32(scales, rows) };
}

interface Planes {
  quarter: number;
  spans: number;
  gap: number;
  highFirst: number;
}

/** Codes as packV32Planes reads them, one after the other; between blocks bytes that are no codes. */
function planesOf(
  weights: Int8Array,
  cols: number,
  { quarter, spans, gap, highFirst }: Planes,
): Uint8Array<ArrayBuffer> {
  const spanElems = 4 * quarter;
  const blockBytes = spans * quarter + gap;
  const out = new Uint8Array((weights.length / (spanElems * spans)) * blockBytes);
  for (let at = spans * quarter; at < out.length; at += blockBytes) out.fill(0xff, at, at + gap);
  expect(cols % (spanElems * spans)).toBe(0);
  weights.forEach((weight, i) => {
    const [block, inBlock] = [Math.floor(i / (spanElems * spans)), i % (spanElems * spans)];
    const [span, inSpan] = [Math.floor(inBlock / spanElems), inBlock % spanElems];
    const [field, j] = [Math.floor(inSpan / quarter), inSpan % quarter];
    const byte = block * blockBytes + span * quarter + j;
    out[byte] = out[byte]! | ((weight + 1) << (2 * (highFirst ? 3 - field : field)));
  });
  return out;
}

forEachVariant((get) => {
  for (const [rows, cols] of [
    [32, 32],
    [64, 96],
    [96, 100],
    [64, 384],
    [32, 6912],
    [64, 8640],
  ] as const) {
    if (cols % 16 === 0)
      test(`packV32 ${rows} x ${cols}`, () => {
        const weights = new Random(rows + cols).weights(rows * cols);
        const arena = get().arena();
        const codes = arena.input(
          'codes',
          Uint8Array.from(weights, (w) => w + 1),
        );
        const w = arena.region('w', (rows * cols) / 4);
        for (let r = 0; r < rows; r += 32) get().kernels.packV32(codes + r * cols, w + (r * cols) / 4, cols);
        arena.check();
        const packed = arena.u8(w, (rows * cols) / 4).slice();
        sameBits(packed, packV32(weights, rows, cols), 'packed');
        for (let row = 0; row < rows; row += 3)
          for (let col = row % 7; col < cols; col += 7)
            expect(readV32(packed, cols, row, col)).toBe(weights[row * cols + col]);
      });

    // I2_S, its order of 16 bytes, TQ2_0: where a block's quarters are, and what is between blocks.
    for (const [quarter, spans, gap, highFirst] of [
      [32, 1, 0, 1],
      [16, 1, 0, 1],
      [32, 2, 2, 0],
      [16, 3, 5, 0],
    ] as const)
      if (cols % (4 * quarter * spans) === 0)
        test(`packV32Planes ${rows} x ${cols}, ${spans} x ${quarter} bytes, ${gap} between`, () => {
          const weights = new Random(rows * cols + 2).weights(rows * cols);
          const bytes = planesOf(weights, cols, { quarter, spans, gap, highFirst });
          const row = bytes.length / rows;
          const arena = get().arena();
          const from = arena.input('bytes', bytes);
          const w = arena.region('w', (rows * cols) / 4);
          const pack = (at: number, r: number) =>
            get().kernels.packV32Planes(at + r * row, w + (r * cols) / 4, cols, quarter, spans, gap, highFirst);
          for (let r = 0; r < rows; r += 32) expect(pack(from, r)).toBe(1);
          arena.check();
          sameBits(arena.u8(w, (rows * cols) / 4).slice(), packV32(weights, rows, cols), 'packed');
          // A code 3 in the last byte of codes.
          bytes[bytes.length - gap - 1] = 0x03 << (2 * (rows % 3));
          const bad = arena.input('bad', bytes);
          for (let r = 0; r < rows; r += 32) expect(pack(bad, r)).toBe(r + 32 < rows ? 1 : 0);
        });

    if (cols % 8 === 0)
      test(`packB32 ${rows} x ${cols}`, () => {
        const signs = new Random(rows * cols + 1).weights(rows * cols).map((w) => (w < 0 ? -1 : 1));
        const row = cols / 8;
        const bits = new Uint8Array(rows * row);
        signs.forEach((sign, i) => {
          if (sign > 0) bits[i >> 3] = bits[i >> 3]! | (1 << (i & 7));
        });
        const arena = get().arena();
        const from = arena.input('bits', bits);
        const w = arena.region('w', rows * row);
        for (let r = 0; r < rows; r += 32) get().kernels.packB32(from + r * row, w + r * row, cols);
        arena.check();
        sameBits(arena.u8(w, rows * row).slice(), packB32(signs, rows, cols), 'packed');
      });

    test(`packH16F16 ${rows} x ${cols} is packH16 of the same numbers`, () => {
      const halves = Uint16Array.from(new Random(rows + 2 * cols).f32(rows * cols, 3), f64ToF16);
      const arena = get().arena();
      const from = arena.input('x', halves);
      const w = arena.region('w', rows * cols);
      const scales = arena.region('scales', rows * 4);
      for (let r = 0; r < rows; r += 16)
        expect(get().kernels.packH16F16(from + r * cols * 2, w + r * cols, scales + r * 4, cols)).toBe(1);
      arena.check();
      const want = quantizeRows(Float32Array.from(halves, f16ToF64), rows, cols);
      sameBits(arena.f32(scales, rows), want.scales, 'scales');
      sameBits(arena.u8(w, rows * cols).slice(), packH16(want.weights, rows, cols), 'packed');
    });

    test(`packH16 ${rows} x ${cols}`, () => {
      const x = new Random(rows * cols).f32(rows * cols, 3);
      const { w, scales } = packH16Kernel(get(), get().arena(), x, rows, cols);
      const want = quantizeRows(x, rows, cols);
      sameBits(scales, want.scales, 'scales');
      sameBits(w, packH16(want.weights, rows, cols), 'packed');
      for (let i = 0; i < x.length; i += 11) {
        const row = Math.floor(i / cols);
        const value = readH16(w, cols, row, i % cols) * scales[row]!;
        expect(Math.abs(value - x[i]!)).toBeLessThanOrEqual(scales[row]! * 0.50001);
      }
    });
  }

  test('packH16 and packH16F16 tell numbers that are not finite', () => {
    const cols = 36;
    for (const [bad, good] of [
      [NaN, 3e38],
      [Infinity, -3e38],
      [-Infinity, 0],
    ] as const)
      for (const value of [bad, good]) {
        const x = new Random(5).f32(16 * cols);
        x[11 * cols + 35] = value;
        const arena = get().arena();
        const args = [arena.region('w', 16 * cols), arena.region('scales', 64), cols] as const;
        expect(get().kernels.packH16(arena.input('x', x), ...args)).toBe(value === good ? 1 : 0);
      }
    for (const [bits, finite] of [
      [0x7c00, 0],
      [0xfc00, 0],
      [0x7e00, 0],
      [0x7bff, 1],
      [0xfbff, 1],
    ] as const) {
      const x = new Uint16Array(16 * cols).fill(0x3c00);
      x[5 * cols + 1] = bits;
      const arena = get().arena();
      const args = [arena.region('w', 16 * cols), arena.region('scales', 64), cols] as const;
      expect(get().kernels.packH16F16(arena.input('x', x), ...args)).toBe(finite);
    }
  });

  test('packH16: rows of zeros, of one value, of ties, of tiny and of huge numbers', () => {
    const cols = 32;
    const x = new Float32Array(16 * cols);
    const set = (row: number, value: (col: number) => number) => {
      for (let col = 0; col < cols; col++) x[row * cols + col] = value(col);
    };
    set(1, () => 0.25);
    set(2, () => -0.25);
    set(3, (col) => (col === 0 ? 127 : col - 16 + 0.5));
    set(4, (col) => (col - 16) * 1e-44);
    set(5, (col) => (col - 16) * 2e-38);
    set(6, (col) => (col - 16) * 2e37);
    set(7, (col) => (col === 31 ? -1 : -0));
    set(8, (col) => (col - 16) * 1e-30);
    const { w, scales } = packH16Kernel(get(), get().arena(), x, 16, cols);
    const want = quantizeRows(x, 16, cols);
    sameBits(scales, want.scales, 'scales');
    sameBits(w, packH16(want.weights, 16, cols), 'packed');
    expect(readH16(w, cols, 2, 0)).toBe(-127);
    expect([16, 17, 18, 19].map((col) => readH16(w, cols, 3, col))).toEqual([0, 2, 2, 4]);
  });
});
