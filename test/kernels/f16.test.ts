// Half precision, every pattern: read as the embedding reads it, written as the cache writes it.
import { test } from 'vitest';
import { KV_ADDRESS, POSITION } from '../../assembly/layout.ts';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { Random } from '../ref/random.ts';
import { sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const PATTERNS = 65536;
const patterns = Uint16Array.from({ length: PATTERNS }, (_, i) => i);

function toF16(v: Variant, x: Float32Array<ArrayBuffer>) {
  const arena = v.arena();
  const from = arena.input('x', x);
  const cache = arena.region('cache', x.length * 2);
  const control = arena.region('control', 64);
  arena.setI32(control + POSITION, 0);
  arena.setI32(control + KV_ADDRESS, cache);
  v.kernels.cacheWriteF16(from, control, 0, 1, x.length, 1, x.length, 0, 1);
  arena.check();
  return arena.u16(cache, x.length);
}

function toF32(v: Variant, bits: Uint16Array<ArrayBuffer>) {
  const arena = v.arena();
  const w = arena.input('w', bits);
  const ids = arena.input('ids', Int32Array.of(0));
  const x = arena.region('x', bits.length * 4);
  v.kernels.embedF16(w, ids, x, bits.length, bits.length, 0, 1);
  arena.check();
  return arena.f32(x, bits.length);
}

forEachVariant((get) => {
  test('f16 -> f32: all 65536 patterns, exactly', () => {
    sameBits(toF32(get(), patterns), Float32Array.from(patterns, f16ToF64), 'f32');
  });

  test('f32 -> f16: every finite f16 comes back', () => {
    const finite = patterns.filter((bits) => (bits & 0x7c00) !== 0x7c00);
    sameBits(toF16(get(), Float32Array.from(finite, f16ToF64)), finite, 'f16');
  });

  test('f32 -> f16: between each two neighbours, the tie and the floats beside it', () => {
    const values: number[] = [];
    for (let bits = 0; bits < 0x7bff; bits++) {
      const tie = (f16ToF64(bits) + f16ToF64(bits + 1)) / 2;
      const step = tie * 2 ** -23;
      for (const x of [tie - step, tie, tie + step]) values.push(x, -x);
    }
    while (values.length % 4) values.push(0);
    const x = Float32Array.from(values);
    sameBits(toF16(get(), x), Uint16Array.from(x, f64ToF16), 'f16');
  });

  test('f32 -> f16: random magnitudes, tiny ones, and a clamp at 65504', () => {
    const random = new Random(16);
    const x = Float32Array.from({ length: 40000 }, () => (random.next() * 2 - 1) * 2 ** random.int(-30, 17));
    x.set([65504, 65519.9, 65520, 1e30, Infinity, -65520, -Infinity, -0, 0, 2 ** -25, 2 ** -24, 1e-45]);
    sameBits(toF16(get(), x), Uint16Array.from(x, f64ToF16), 'f16');
  });
});
