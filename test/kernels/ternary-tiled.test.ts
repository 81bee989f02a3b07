// The tiled ternary kernel, bit for bit against the scalar reference, which the row kernels are held to as well.
import { expect, test } from 'vitest';
import { TILE_ROWS } from '../../assembly/layout.ts';
import { Random } from '../ref/random.ts';
import { sameBits } from './compare.ts';
import { describeShape, expected, runTernary, type Shape, ternaryCase } from './ternary-case.ts';
import { forEachVariant } from './variants.ts';

const kernel = 'matmulTernaryTiled';
const shapes: Shape[] = [
  { rows: 32, cols: 32, blockCols: 32, tokens: 16 },
  { rows: 64, cols: 96, blockCols: 96, tokens: 7 },
  { rows: 96, cols: 96, blockCols: 32, tokens: 33 },
  { rows: 160, cols: 128, blockCols: 64, tokens: 16 },
  { rows: 64, cols: 288, blockCols: 288, tokens: 20 },
  { rows: 96, cols: 2560, blockCols: 2560, tokens: 16 },
  { rows: 64, cols: 2560, blockCols: 256, tokens: 31 },
  { rows: 64, cols: 6912, blockCols: 6912, tokens: 16 },
  { rows: 32, cols: 6912, blockCols: 128, tokens: 17 },
  { rows: 32, cols: 8640, blockCols: 64, tokens: 16 },
  { rows: 64, cols: 8640, blockCols: 8640, tokens: 16 },
  { rows: TILE_ROWS + 96, cols: 96, blockCols: 96, tokens: 48 },
  { rows: TILE_ROWS + 96, cols: 128, blockCols: 64, tokens: 32 },
  { rows: 2 * TILE_ROWS + 32, cols: 288, blockCols: 288, tokens: 16 },
  ...[1, 2, 3, 4, 5, 6, 7, 8].map((tiles) => ({ rows: 64, cols: 256, blockCols: 128, tokens: tiles * 16 })),
];
const worst: Shape[] = [-127, 127].flatMap((activation) =>
  [-1, 1].flatMap((weight) => [
    { rows: 32, cols: 6912, blockCols: 6912, tokens: 16, weight, activation },
    { rows: 32, cols: 6912, blockCols: 256, tokens: 16, weight, activation },
  ]),
);
const zeros: Shape[] = [0, -0].flatMap((scale) => [
  { rows: 32, cols: 128, blockCols: 128, tokens: 16, scale },
  { rows: 32, cols: 128, blockCols: 64, tokens: 16, scale },
]);

forEachVariant((get) => {
  for (const shape of [...shapes, ...worst, ...zeros])
    test(`${describeShape(shape)}, add 0 and 1`, () => {
      const c = ternaryCase(shape);
      for (const add of [0, 1] as const)
        sameBits(runTernary(get(), get().arena(), kernel, c, { add }), expected(c, add), `add ${add}`);
    });

  test('tile ranges that do not begin at 0', () => {
    const c = ternaryCase({ rows: 96, cols: 512, blockCols: 512, tokens: 80 });
    for (const range of [
      [1, 3],
      [4, 5],
      [2, 2],
    ] as const) {
      const y = runTernary(get(), get().arena(), kernel, c, { range, add: 1 });
      sameBits(y, expected(c, 1, range[0] * 16, range[1] * 16), `tiles ${range}`);
    }
  });

  test('row ranges together give the whole', () => {
    const rows = TILE_ROWS + 160;
    const c = ternaryCase({ rows, cols: 256, blockCols: 256, tokens: 32 });
    for (const bounds of [
      [0, 32, rows],
      [0, TILE_ROWS - 64, TILE_ROWS + 64, rows],
    ])
      sameBits(runTernary(get(), get().arena(), kernel, c, { bounds }), expected(c, 0), `bounds ${bounds}`);
  });

  test('tileI16 transposes tokens into columns, in ranges of tiles', () => {
    const cols = 96;
    const q = new Random(5).int8(48 * cols);
    const arena = get().arena();
    const x = arena.input('q', q);
    const at = arena.region('at', 48 * cols * 2);
    const untouched = arena.u16(at, cols * 16);
    get().kernels.tileI16(x, at, cols, 1, 3);
    arena.check();
    const out = Int16Array.from(arena.u16(at, 48 * cols));
    sameBits(arena.u16(at, cols * 16), untouched, 'tile 0');
    for (let t = 16; t < 48; t++)
      for (let k = 0; k < cols; k++) expect(out[((t >> 4) * cols + k) * 16 + (t % 16)]).toBe(q[t * cols + k]);
  });
});
