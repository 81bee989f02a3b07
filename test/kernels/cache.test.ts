// Keys and values go to their places in the cache, and nowhere else.
import { test } from 'vitest';
import { KV_ADDRESS, POSITION } from '../../assembly/layout.ts';
import { encodeRow, headBytes, storeRow } from '../ref/attention.ts';
import { f64ToF16 } from '../ref/f16.ts';
import { Random } from '../ref/random.ts';
import { sameBits } from './compare.ts';
import { forEachVariant } from './variants.ts';

const [HEADS, CAPACITY, TOKENS, OFFSET_BYTES] = [3, 11, 4, 192];

forEachVariant((get) => {
  for (const [kernel, bytes] of [
    ['cacheWriteF32', 4],
    ['cacheWriteF16', 2],
  ] as const)
    for (const headDim of [8, 40, 64, 80, 96, 100, 128, 256])
      test(`${kernel}, heads of ${headDim}`, () => {
        const stride = HEADS * headDim + 4;
        const x = new Random(headDim).f32(TOKENS * stride, 5);
        for (const position of [0, 5, CAPACITY - TOKENS])
          for (const bounds of [
            [0, TOKENS],
            [0, 3, TOKENS],
            [1, 2],
          ]) {
            const arena = get().arena();
            const size = HEADS * CAPACITY * headDim * bytes;
            const kv = arena.region('kv', OFFSET_BYTES + size);
            const before = arena.u8(kv, OFFSET_BYTES + size).slice();
            const control = arena.region('control', 64);
            arena.setI32(control + POSITION, position);
            arena.setI32(control + KV_ADDRESS, kv);
            const from = arena.input('x', x);
            for (let i = 1; i < bounds.length; i++)
              get().kernels[kernel](
                from,
                control,
                OFFSET_BYTES,
                HEADS,
                headDim,
                CAPACITY,
                stride,
                bounds[i - 1]!,
                bounds[i]!,
              );
            arena.check();
            const want = before.slice();
            for (let t = bounds[0]!; t < bounds[bounds.length - 1]!; t++)
              for (let h = 0; h < HEADS; h++) {
                const row = x.subarray(t * stride + h * headDim, t * stride + (h + 1) * headDim);
                const stored = bytes === 4 ? row.slice() : Uint16Array.from(row, f64ToF16);
                const at = OFFSET_BYTES + (h * CAPACITY + position + t) * headDim * bytes;
                want.set(new Uint8Array(stored.buffer), at);
              }
            sameBits(arena.u8(kv, want.length).slice(), want, `position ${position}, tokens ${bounds}`);
          }
      });

  for (const [kernel, bits] of [
    ['cacheWriteI8', 8],
    ['cacheWriteI4', 4],
  ] as const)
    for (const headDim of [4, 8, 40, 64, 80, 96, 100, 128, 256])
      test(`${kernel}, heads of ${headDim}`, () => {
        const capacity = 150;
        const stride = HEADS * headDim + 4;
        const x = new Random(headDim).f32(TOKENS * stride, 5);
        x.fill(0, stride, stride + headDim);
        const bytes = headBytes(headDim, capacity, bits);
        for (const values of [0, 1])
          for (const position of [0, 5, 62, capacity - TOKENS])
            for (const bounds of [
              [0, TOKENS],
              [0, 3, TOKENS],
              [1, 2],
            ]) {
              const arena = get().arena();
              const kv = arena.region('kv', OFFSET_BYTES + HEADS * bytes);
              const want = arena.u8(kv, OFFSET_BYTES + HEADS * bytes).slice();
              const control = arena.region('control', 64);
              arena.setI32(control + POSITION, position);
              arena.setI32(control + KV_ADDRESS, kv);
              const from = arena.input('x', x);
              const scratch = arena.region('scratch', 4 * headDim + Math.ceil(headDim / 8) * 8);
              const shape = [OFFSET_BYTES, HEADS, headDim, capacity, stride, values] as const;
              for (let i = 1; i < bounds.length; i++)
                get().kernels[kernel](from, control, ...shape, bounds[i - 1]!, bounds[i]!, scratch);
              arena.check();
              for (let t = bounds[0]!; t < bounds[bounds.length - 1]!; t++)
                for (let h = 0; h < HEADS; h++) {
                  const row = x.subarray(t * stride + h * headDim, t * stride + (h + 1) * headDim);
                  const head = want.subarray(OFFSET_BYTES + h * bytes, OFFSET_BYTES + (h + 1) * bytes);
                  storeRow(head, encodeRow(row, bits === 8 ? 127 : 7), position + t, bits, values === 1);
                }
              sameBits(arena.u8(kv, want.length).slice(), want, `values ${values}, position ${position}, ${bounds}`);
            }
      });
});
