// Embedding rows from every form of the matrix, exactly.
import { describe, test } from 'vitest';
import { embedRow, embedRowF16, embedRowInt8 } from '../ref/embed.ts';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { packB32, packH16, packScales, packV32 } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';
import type { Arena } from './arena.ts';
import { once, sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const VOCAB = 48;
/** Ternary and binary matrices come in groups of 32 rows. */
const ROWS = 64;
const IDS = Int32Array.of(0, 47, 16, 15, 31, 5, 5);

interface Form {
  name: string;
  dims: readonly number[];
  /** Puts the matrix into the arena; the call and the truth follow from it. */
  make(dim: number): {
    put(arena: Arena): (v: Variant, ids: number, x: number, stride: number, begin: number, end: number) => void;
    row(id: number): Float32Array;
  };
}

const dims = [32, 100, 2560];
const padTo = (n: number, unit: number) => Math.ceil(n / unit) * unit;

const forms: Form[] = [
  {
    name: 'embedF32',
    dims,
    make(dim) {
      const w = new Random(dim).f32(VOCAB * dim);
      return {
        put(arena) {
          const at = arena.input('w', w);
          return (v, ids, x, stride, begin, end) => v.kernels.embedF32(at, ids, x, dim, stride, begin, end);
        },
        row: (id) => embedRow(w, dim, id),
      };
    },
  },
  {
    name: 'embedF16',
    dims,
    make(dim) {
      const w = Uint16Array.from(new Random(dim).f32(VOCAB * dim), f64ToF16);
      return {
        put(arena) {
          const at = arena.input('w', w);
          return (v, ids, x, stride, begin, end) => v.kernels.embedF16(at, ids, x, dim, stride, begin, end);
        },
        row: (id) => embedRowF16(w, dim, id),
      };
    },
  },
  ...[16, 32].map((blockCols) => ({
    name: `embedI8Block, blocks of ${blockCols}`,
    dims: [32, 96, 2560],
    make(dim: number) {
      const random = new Random(dim + blockCols);
      const w = random.int8(VOCAB * dim).fill(-128, 0, 4);
      const scales = random.scales((VOCAB * dim) / blockCols, 0.03);
      return {
        put(arena: Arena) {
          const at = arena.input('w', w);
          const s = arena.input('scales', scales);
          return (v: Variant, ids: number, x: number, stride: number, begin: number, end: number) =>
            v.kernels.embedI8Block(at, s, ids, x, dim, blockCols, stride, begin, end);
        },
        row: (id: number) => embedRowInt8(w, scales, dim, blockCols, id),
      };
    },
  })),
  {
    name: 'embedI8Row',
    dims,
    make(dim) {
      const cols = padTo(dim, 32);
      const random = new Random(dim + 1);
      const w = random.int8(VOCAB * cols).fill(-128, 0, 4);
      const scales = random.scales(VOCAB, 0.03);
      return {
        put(arena) {
          const at = arena.input('w', packH16(w, VOCAB, cols));
          const s = arena.input('scales', scales);
          return (v, ids, x, stride, begin, end) => v.kernels.embedI8Row(at, s, ids, x, dim, cols, stride, begin, end);
        },
        row: (id) => embedRowInt8(w, scales, cols, cols, id).slice(0, dim),
      };
    },
  },
  ...[64, 128, 0].flatMap((block) =>
    (['embedTernary', 'embedBinary'] as const).map((kernel) => ({
      name: `${kernel}, ${block ? `blocks of ${block}` : 'a scale per row'}`,
      dims: block ? [128, 2560] : dims,
      make(dim: number) {
        const cols = padTo(dim, 32);
        const blockCols = block || cols;
        const random = new Random(dim + block);
        const binary = kernel === 'embedBinary';
        const w = random.weights(ROWS * cols).map((v) => (binary && v === 0 ? 1 : v));
        const scales = random.scales((ROWS * cols) / blockCols, 0.03).map((v) => f16ToF64(f64ToF16(v)));
        const grouped = packScales(scales, ROWS, cols / blockCols);
        return {
          put(arena: Arena) {
            const at = arena.input('w', (binary ? packB32 : packV32)(w, ROWS, cols));
            const s = arena.input('scales', binary ? Uint16Array.from(grouped, f64ToF16) : grouped);
            return (v: Variant, ids: number, x: number, stride: number, begin: number, end: number) =>
              v.kernels[kernel](at, s, ids, x, dim, cols, blockCols, stride, begin, end);
          },
          row: (id: number) => embedRowInt8(w, scales, cols, blockCols, id).slice(0, dim),
        };
      },
    })),
  ),
];

forEachVariant((get) => {
  for (const form of forms)
    describe(form.name, () => {
      for (const dim of form.dims)
        test(`dim ${dim}, whole and in parts, x with a stride`, () => {
          const c = once(`${form.name} ${dim}`, () => form.make(dim));
          for (const stride of [dim, dim + 12])
            for (const bounds of [
              [0, 7],
              [0, 3, 7],
              [2, 5],
            ]) {
              const arena = get().arena();
              const call = c.put(arena);
              const ids = arena.input('ids', IDS);
              const before = new Random(3).f32(7 * stride);
              const x = arena.inout('x', before);
              for (let i = 1; i < bounds.length; i++) call(get(), ids, x, stride, bounds[i - 1]!, bounds[i]!);
              arena.check();
              const want = before.slice();
              for (let t = bounds[0]!; t < bounds[bounds.length - 1]!; t++) want.set(c.row(IDS[t]!), t * stride);
              sameBits(arena.f32(x, 7 * stride), want, `bounds ${bounds}, stride ${stride}`);
            }
        });
    });
});
