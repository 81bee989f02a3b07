// Kernels on addresses above 2 GiB, where an i32 address would be negative.
import { test } from 'vitest';
import { KV_ADDRESS, POSITION } from '../../assembly/layout.ts';
import { attend } from '../ref/attention.ts';
import { embedRowF16 } from '../ref/embed.ts';
import { Random } from '../ref/random.ts';
import { ATTENTION_TOLERANCE, sameBits, within } from './compare.ts';
import { expected, ROW_KERNELS, runTernary, ternaryCase } from './ternary-case.ts';
import { forEachVariant } from './variants.ts';

const PAGES = 49152;
const BASE = 2.5 * 2 ** 30;

function refusal(): string | undefined {
  try {
    new WebAssembly.Memory({ initial: PAGES, maximum: PAGES });
    new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    return undefined;
  } catch (error) {
    return `no memory of 3 GiB: ${error}`;
  }
}

const reason = refusal();
if (reason) {
  console.log(`high addresses: skipped, ${reason}`);
  test.skip(`high addresses (skipped: ${reason})`);
} else
  forEachVariant((get, name) => {
    test('ternary kernels', () => {
      const c = ternaryCase({ rows: 64, cols: 512, blockCols: 128, tokens: 16 });
      const kernels = name.startsWith('simd') ? (['matmulTernaryWide'] as const) : ROW_KERNELS;
      for (const kernel of [...kernels, 'matmulTernaryTiled'] as const)
        sameBits(runTernary(get(), get().arena(BASE), kernel, c), expected(c, 0), kernel);
    });

    test('a matrix that crosses the 2 GiB line', () => {
      const c = ternaryCase({ rows: 64, cols: 2560, blockCols: 2560, tokens: 2 });
      const arena = get().arena(2 ** 31 - 20480);
      sameBits(runTernary(get(), arena, 'matmulTernaryWide', c), expected(c, 0), 'y');
    });

    test('embedding, cache and attention', () => {
      const [dim, vocab] = [64, 40];
      const arena = get().arena(BASE);
      const w = Uint16Array.from({ length: vocab * dim }, (_, i) => (i * 7) % 0x3c00);
      const ids = arena.input('ids', Int32Array.of(39, 3));
      const table = arena.input('w', w);
      const x = arena.region('x', 2 * dim * 4);
      get().kernels.embedF16(table, ids, x, dim, dim, 0, 2);
      sameBits(arena.f32(x, dim), embedRowF16(w, dim, 39), 'embedding');

      const kv = arena.region('kv', 2 * 4 * dim * 4);
      const control = arena.region('control', 64);
      arena.setI32(control + POSITION, 0);
      arena.setI32(control + KV_ADDRESS, kv);
      const rows = new Random(4).f32(4 * dim);
      const from = arena.input('rows', rows);
      get().kernels.cacheWriteF32(from, control, 0, 1, dim, 4, dim, 0, 4);
      get().kernels.cacheWriteF32(from, control, 4 * dim * 4, 1, dim, 4, dim, 0, 4);
      const out = arena.region('out', dim * 4);
      const scratch = arena.region('scratch', 4 * (8 * dim + 16));
      arena.setI32(control + POSITION, 3);
      get().kernels.attentionF32(from, out, control, 0, 4 * dim * 4, 1, 1, dim, 4, dim, dim, 0.125, 0, 1, scratch);
      arena.check();
      const want = attend(rows.subarray(0, dim), rows, rows, dim, 4, 0.125);
      within(arena.f32(out, dim), want, () => ATTENTION_TOLERANCE, 'attention');
    });
  }, PAGES);
