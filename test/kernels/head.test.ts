// The head in two steps: packing H4, look-up, estimates, and the rows made exact, bit for bit.
import { describe, expect, test } from 'vitest';
import { HEAD_SPAN, ROW_SUMS_BYTES, ROW_TOKENS } from '../../assembly/layout.ts';
import { likeliest } from '../../src/generate/top-k.ts';
import { embedRowInt8 } from '../ref/embed.ts';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { type Estimates, estimates, exactRows, type Head, packH4, readH4, refine, threshold } from '../ref/head.ts';
import { packH16, quantizeRows } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';
import { once, sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const { fround } = Math;

const KERNELS = [
  { estimate: 'matmulHead4Dot', refine: 'headRefineDot', int8: 'matmulI8RowDot' },
  { estimate: 'matmulHead4I16', refine: 'headRefineWide', int8: 'matmulI8RowWide' },
  { estimate: 'matmulHead4Wide', refine: 'headRefineWide', int8: 'matmulI8RowWide' },
] as const;
type KernelSet = (typeof KERNELS)[number];

interface Case {
  head: Head;
  /** Rows that count; the head has those of the padding too. */
  rows: number;
  padded: number;
  cols: number;
  tokens: number;
  q: Int8Array<ArrayBuffer>;
  qScale: Float32Array<ArrayBuffer>;
  estimates: Estimates[];
  exact: Float32Array<ArrayBuffer>[];
}

interface Options {
  weight?: (row: number, col: number) => number;
  activation?: (col: number) => number;
  scale?: (row: number) => number;
}

function makeCase(rows: number, cols: number, tokens: number, options: Options = {}): Case {
  const random = new Random(rows + 3 * cols + 7 * tokens);
  const padded = Math.ceil(rows / 32) * 32;
  const weights = new Int8Array(padded * cols);
  const scales = new Float32Array(padded);
  const { weight = () => random.int(-127, 127), activation = () => random.int(-127, 127) } = options;
  const { scale = () => random.scales(1, 0.01)[0]! } = options;
  for (let row = 0; row < rows; row++) {
    for (let col = 0; col < cols; col++) weights[row * cols + col] = weight(row, col);
    scales[row] = scale(row);
  }
  const q = Int8Array.from({ length: tokens * cols }, (_, i) => activation(i % cols));
  const qScale = random.scales(tokens, 20);
  const head = { weights, scales, cols };
  const each = Array.from({ length: tokens }, (_, t) => [q.subarray(t * cols, (t + 1) * cols), qScale[t]!] as const);
  return {
    ...{ head, rows, padded, cols, tokens, q, qScale },
    estimates: each.map(([x, s]) => estimates(head, x, s)),
    exact: each.map(([x, s]) => exactRows(head, x, s)),
  };
}

const cases: Record<string, () => Case> = {
  '32 x 32, 1 token': () => makeCase(32, 32, 1),
  '1003 x 96, 16 tokens': () => makeCase(1003, 96, 16),
  '4099 x 160, 3 tokens': () => makeCase(4099, 160, 3),
  '2144 x 2560, 2 tokens': () => makeCase(2144, 2560, 2),
  '64 x 8640, 1 token': () => makeCase(64, 8640, 1),
  '32002 x 64, 2 tokens': () => makeCase(32002, 64, 2),
  '131080 x 32, 1 token': () => makeCase(131080, 32, 1),
  ...Object.fromEntries(
    [-127, 127].flatMap((activation) =>
      [-128, -127, 127].map((weight) => [
        `64 x 6912, all ${weight} x ${activation}`,
        () => makeCase(64, 6912, 1, { weight: () => weight, activation: () => activation }),
      ]),
    ),
  ),
  'activations 0': () => makeCase(300, 64, 1, { activation: () => 0 }),
  'rows of zeros with the scale 0': () =>
    makeCase(700, 64, 2, {
      scale: (row) => (row % 3 === 0 ? 0 : 0.02),
      weight: (row, col) => (row % 3 === 0 ? 0 : ((row * 31 + col * 17) % 255) - 127),
    }),
  'all logits below 0, padding at 0': () =>
    makeCase(1001, 64, 1, { weight: (row, col) => -((row * 7 + col * 5) % 127), activation: () => 90 }),
  'rows alike': () => makeCase(900, 64, 1, { weight: (_, col) => (col * 37) % 100, scale: () => 0.01 }),
};
const named = (name: string) => once(`head ${name}`, cases[name]!);

/** A case in an arena, and its steps. Scratch is what the docstrings promise. */
class Run {
  readonly arena;
  private readonly at;

  constructor(
    private readonly v: Variant,
    private readonly kernels: KernelSet,
    readonly c: Case,
    private readonly range: readonly [number, number] = [0, c.tokens],
    base?: number,
  ) {
    const arena = v.arena(base);
    const { padded, cols, tokens } = c;
    const planes = packH4(c.head.weights, padded, cols);
    const wide = kernels.estimate.endsWith('Wide') ? 2 * ROW_TOKENS * cols : 0;
    const refineBytes = 4 * HEAD_SPAN + 16 + (kernels.refine.endsWith('Wide') ? 2 * ROW_TOKENS * cols : 0);
    this.at = {
      high: arena.input('high', planes.high),
      low: arena.input('low', planes.low),
      scales: arena.input('scales', c.head.scales),
      q: arena.input('q', c.q),
      qScale: arena.input('qScale', c.qScale),
      sums: arena.region('sums', 4 * tokens * padded),
      y: arena.inout('y', new Float32Array(tokens * padded).fill(0.5)),
      peaks: arena.inout('peaks', new Float32Array((tokens * padded) / 16).fill(0.5)),
      thresholds: arena.inout('thresholds', new Float32Array(tokens).fill(0.5)),
      tokens: arena.range(...range),
      scratch: arena.region('scratch', ROW_SUMS_BYTES + wide),
      thresholdScratch: arena.region('scratch', ROW_SUMS_BYTES + 2 * cols + 12 * (Math.ceil(c.rows / 32) + 8)),
      refineScratch: arena.region('scratch', ROW_SUMS_BYTES + refineBytes),
      top: arena.inout('top', Int32Array.of(0)),
    };
    this.arena = arena;
  }

  estimate(bounds: readonly number[] = [0, this.c.padded]): void {
    const { high, scales, q, qScale, sums, y, peaks, tokens, scratch } = this.at;
    const { cols, padded } = this.c;
    const args = [high, scales, q, qScale, sums, y, peaks, cols, padded, tokens] as const;
    for (let i = 1; i < bounds.length; i++)
      this.v.kernels[this.kernels.estimate](...args, bounds[i - 1]!, bounds[i]!, scratch);
    this.arena.check();
  }

  threshold(k: number): void {
    const { low, scales, q, qScale, sums, y, peaks, thresholds, top, thresholdScratch } = this.at;
    const { cols, padded, rows } = this.c;
    this.arena.setI32(top, k);
    const args = [low, scales, q, qScale, sums, y, peaks, thresholds, top, rows, cols, padded] as const;
    this.v.kernels.headThreshold(...args, ...this.range, thresholdScratch);
    this.arena.check();
  }

  refine(bounds: readonly number[] = [0, this.c.padded]): void {
    const { low, scales, q, qScale, sums, y, peaks, thresholds, tokens, refineScratch } = this.at;
    const { cols, padded } = this.c;
    const args = [low, scales, q, qScale, sums, y, peaks, thresholds, cols, padded, tokens] as const;
    for (let i = 1; i < bounds.length; i++)
      this.v.kernels[this.kernels.refine](...args, bounds[i - 1]!, bounds[i]!, refineScratch);
    this.arena.check();
  }

  setY(token: number, y: Float32Array): void {
    this.arena.setF32(this.at.y + 4 * token * this.c.padded, y);
  }

  setThreshold(token: number, value: number): void {
    this.arena.setF32(this.at.thresholds + 4 * token, Float32Array.of(value));
  }

  get thresholds(): Float32Array {
    return this.arena.f32(this.at.thresholds, this.c.tokens);
  }

  y(token: number): Float32Array<ArrayBuffer> {
    return this.arena.f32(this.at.y + 4 * token * this.c.padded, this.c.padded);
  }

  peaks(token: number): Float32Array<ArrayBuffer> {
    return this.arena.f32(this.at.peaks + (token * this.c.padded) / 4, this.c.padded / 16);
  }

  sums(token: number): Float32Array<ArrayBuffer> {
    return this.arena.f32(this.at.sums + 4 * token * this.c.padded, this.c.padded);
  }
}

const asFloats = (ints: Int32Array<ArrayBuffer>) => new Float32Array(ints.buffer);
const padTo = (n: number, unit: number) => Math.ceil(n / unit) * unit;

forEachVariant((get, variant) => {
  describe('packH4', () => {
    /** What both kernels write and return, f16 where the numbers are given as such. */
    const pack = (x: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>, rows: number, cols: number) => {
      const arena = get().arena();
      const kernel = x instanceof Uint16Array ? 'packH4F16' : 'packH4';
      const from = arena.input('x', x);
      const high = arena.region('high', (rows * cols) / 2);
      const low = arena.region('low', (rows * cols) / 2);
      const scales = arena.region('scales', 4 * rows);
      let finite = 1;
      for (let r = 0; r < rows; r += 16) {
        const at = (r * cols) / 2;
        finite &= get().kernels[kernel](
          from + x.BYTES_PER_ELEMENT * r * cols,
          high + at,
          low + at,
          scales + 4 * r,
          cols,
        );
      }
      arena.check();
      const plane = (at: number) => arena.u8(at, (rows * cols) / 2).slice();
      return { high: plane(high), low: plane(low), scales: arena.f32(scales, rows), finite };
    };
    const check = (got: ReturnType<typeof pack>, x: Float32Array<ArrayBuffer>, rows: number, cols: number) => {
      const want = quantizeRows(x, rows, cols);
      sameBits(got.scales, want.scales, 'scales');
      const planes = packH4(want.weights, rows, cols);
      sameBits(got.high, planes.high, 'high');
      sameBits(got.low, planes.low, 'low');
      expect(got.finite).toBe(1);
      for (let i = 0; i < x.length; i += 7)
        expect(readH4(planes, cols, Math.floor(i / cols), i % cols)).toBe(want.weights[i]);
    };
    for (const [rows, cols] of [
      [32, 32],
      [64, 96],
      [96, 104],
      [32, 6912],
    ] as const) {
      const numbers = () => new Random(rows * cols).f32(rows * cols, 3);
      test(`${rows} x ${cols}`, () => check(pack(numbers(), rows, cols), numbers(), rows, cols));
      test(`${rows} x ${cols}, f16`, () => {
        const halves = Uint16Array.from(numbers(), f64ToF16);
        check(pack(halves, rows, cols), Float32Array.from(halves, f16ToF64), rows, cols);
      });
    }

    test('rows of zeros, of one value, of ties, of tiny and of huge numbers', () => {
      const x = new Float32Array(16 * 32);
      const rows = [
        () => 0,
        () => 0.25,
        () => -0.25,
        (col: number) => (col === 0 ? 127 : col - 16 + 0.5),
        (col: number) => (col - 16) * 1e-44,
        (col: number) => (col - 16) * 2e37,
        (col: number) => (col === 31 ? -1 : -0),
        (col: number) => (col - 16) * 1e-30,
      ];
      rows.forEach((value, row) => {
        for (let col = 0; col < 32; col++) x[32 * row + col] = value(col);
      });
      check(pack(x, 16, 32), x, 16, 32);
    });

    test('numbers that are not finite are noticed, wherever they are', () => {
      for (const value of [NaN, Infinity, -Infinity])
        for (const at of [0, 33, 511]) {
          const x = new Random(at).f32(512);
          x[at] = value;
          expect(pack(x, 16, 32).finite).toBe(0);
          expect(
            pack(
              Uint16Array.from(x, (v) => (Number.isFinite(v) ? f64ToF16(v) : 0x7e00)),
              16,
              32,
            ).finite,
          ).toBe(0);
        }
    });
  });

  describe('embedH4', () => {
    for (const dim of [32, 100, 2560])
      test(`dim ${dim}, in parts, x with a stride`, () => {
        const cols = padTo(dim, 32);
        const random = new Random(dim);
        const weights = random.int8(64 * cols).fill(-128, 0, 8);
        const scales = random.scales(64, 0.03);
        const ids = Int32Array.of(0, 63, 16, 15, 31, 5, 5);
        const arena = get().arena();
        const planes = packH4(weights, 64, cols);
        const [high, low] = [arena.input('high', planes.high), arena.input('low', planes.low)];
        const h16 = arena.input('H16', packH16(weights, 64, cols));
        const [s, at] = [arena.input('scales', scales), arena.input('ids', ids)];
        const stride = dim + 12;
        const before = random.f32(7 * stride);
        const x = arena.inout('x', before);
        const int8 = arena.inout('int8 x', before);
        for (const [begin, end] of [
          [1, 3],
          [3, 7],
        ] as const) {
          get().kernels.embedH4(high, low, s, at, x, dim, cols, stride, begin, end);
          get().kernels.embedI8Row(h16, s, at, int8, dim, cols, stride, begin, end);
        }
        arena.check();
        const want = before.slice();
        for (let t = 1; t < 7; t++)
          want.set(embedRowInt8(weights, scales, cols, cols, ids[t]!).slice(0, dim), t * stride);
        sameBits(arena.f32(x, 7 * stride), want, 'x');
        sameBits(arena.f32(x, 7 * stride), arena.f32(int8, 7 * stride), 'x, against embedI8Row');
      });
  });

  for (const kernels of KERNELS) {
    if (variant.startsWith('simd') && !kernels.estimate.endsWith('Wide')) {
      test(`${kernels.estimate} and headRefineDot trap in a build without relaxed SIMD`, () => {
        const run = new Run(get(), KERNELS[0], named('32 x 32, 1 token'));
        expect(() => run.estimate()).toThrow(WebAssembly.RuntimeError);
        expect(() => run.refine()).toThrow(WebAssembly.RuntimeError);
        expect(() => new Run(get(), kernels, run.c).estimate()).toThrow(WebAssembly.RuntimeError);
      });
      continue;
    }
    describe(`${kernels.estimate}, headThreshold, ${kernels.refine}`, () => {
      for (const name of Object.keys(cases))
        test(name, () => {
          const c = named(name);
          for (const k of [0, 1, 7, 40]) {
            const run = new Run(get(), kernels, c);
            run.estimate();
            for (let t = 0; t < c.tokens; t++) {
              sameBits(run.sums(t), asFloats(c.estimates[t]!.sums), `sums of token ${t}`);
              sameBits(run.y(t), c.estimates[t]!.y, `estimates of token ${t}`);
              sameBits(run.peaks(t), c.estimates[t]!.peaks, `peaks of token ${t}`);
            }
            run.threshold(k);
            const wants = c.estimates.map((e, t) => threshold(e, c.exact[t]!, k, c.rows));
            for (let t = 0; t < c.tokens; t++) {
              expect(run.thresholds[t], `threshold of token ${t}`).toBe(wants[t]!.threshold);
              sameBits(run.y(t), wants[t]!.y, `rows made exact first, token ${t}`);
            }
            run.refine();
            for (let t = 0; t < c.tokens; t++) {
              const want = refine(c.estimates[t]!, wants[t]!.y, c.exact[t]!, wants[t]!.threshold);
              sameBits(run.y(t), want, `logits of token ${t}, k ${k}`);
              if (k === 0) sameBits(run.y(t), c.exact[t]!, `logits of token ${t}, all exact`);
              else {
                const ids = likeliest(c.exact[t]!, c.rows, Math.min(k, c.rows));
                expect([...likeliest(run.y(t), c.rows, ids.length)], `greatest ${k} of token ${t}`).toEqual([...ids]);
                for (const id of ids) expect(run.y(t)[id]).toBe(c.exact[t]![id]);
              }
            }
          }
        });

      test('1 to 16 tokens, ranges of tokens and of rows', () => {
        const c = once('head ranges', () => makeCase(2 * HEAD_SPAN + 90, 64, 19));
        for (const count of [1, 2, 5, 16]) {
          const run = new Run(get(), kernels, c, [2, 2 + count]);
          run.estimate([0, 32, 96, HEAD_SPAN, c.padded]);
          run.threshold(3);
          run.refine([0, 96, 128, HEAD_SPAN + 64, c.padded]);
          for (let t = 0; t < c.tokens; t++) {
            if (t < 2 || t >= 2 + count) {
              expect(run.y(t).every((v) => v === 0.5) && run.peaks(t).every((v) => v === 0.5)).toBe(true);
              expect(run.thresholds[t]).toBe(0.5);
              continue;
            }
            const want = threshold(c.estimates[t]!, c.exact[t]!, 3, c.rows);
            sameBits(run.y(t), refine(c.estimates[t]!, want.y, c.exact[t]!, want.threshold), `token ${t}`);
          }
        }
      });

      test('candidates one by one, as neighbours, and in every number', () => {
        const c = named('1003 x 96, 16 tokens');
        const run = new Run(get(), kernels, c, [5, 6]);
        const e = c.estimates[5]!;
        const bounds = e.y.map((v, row) => v + e.reach[row]!).sort();
        for (let n = 1; n < 90; n++) {
          run.estimate();
          const least = n < 80 ? bounds[bounds.length - n]! : bounds[12 * (n - 79)]!;
          run.setThreshold(5, least);
          run.refine();
          sameBits(run.y(5), refine(e, e.y, c.exact[5]!, least), `threshold ${n}`);
        }
      });

      test('every pattern of seven rows, over the edge of a block', () => {
        const c = named('64 x 8640, 1 token');
        const e = c.estimates[0]!;
        const run = new Run(get(), kernels, c);
        run.estimate();
        const least = Math.min(...e.y.map((v, row) => fround(v + e.reach[row]!)));
        run.setThreshold(0, least);
        for (let pattern = 0; pattern < 128; pattern++) {
          const y = e.y.map((v, row) => ((pattern >> (row - 28)) & 1 && row >= 28 && row < 35 ? v : -1e30));
          run.setY(0, y);
          run.refine();
          sameBits(run.y(0), refine(e, y, c.exact[0]!, least), `pattern ${pattern}`);
        }
      });

      test('all rows exact: the bits of the int8 kernel', () => {
        const c = named('4099 x 160, 3 tokens');
        const run = new Run(get(), kernels, c);
        run.estimate();
        run.threshold(0);
        run.refine();
        const arena = get().arena();
        const w = arena.input('w', packH16(c.head.weights, c.padded, c.cols));
        const inputs = [
          arena.input('scales', c.head.scales),
          arena.input('q', c.q),
          arena.input('qScale', c.qScale),
        ] as const;
        const got = Array.from({ length: c.tokens }, (_, t) => run.y(t));
        const y = arena.region('y', 4 * c.tokens * c.padded);
        const scratch = arena.region('scratch', ROW_SUMS_BYTES + 4 * ROW_TOKENS + 2 * ROW_TOKENS * c.cols);
        const shape = [c.cols, c.padded, arena.range(0, c.tokens)] as const;
        get().kernels[kernels.int8](w, ...inputs, y, ...shape, 0, c.padded, scratch);
        arena.check();
        for (let t = 0; t < c.tokens; t++)
          sameBits(got[t]!, arena.f32(y + 4 * t * c.padded, c.padded), `logits of token ${t}`);
      });

      test('a NaN ends as NaN, and in bounds', () => {
        const c = named('1003 x 96, 16 tokens');
        const run = new Run(get(), kernels, { ...c, qScale: c.qScale.map(() => NaN) });
        run.estimate();
        run.threshold(7);
        run.refine();
        expect(run.y(3).subarray(0, c.rows).every(Number.isNaN)).toBe(true);
      });

      test('low nibbles that follow the weights: everything is made exact', () => {
        // Ternary rows as int8: +127 has l = 15, -127 has l = 1; a row like the activations is far above its estimate.
        const random = new Random(5);
        const signs = Int8Array.from({ length: 512 }, () => (random.next() < 0.5 ? -1 : 1));
        const c = once('head ternary', () =>
          makeCase(3000, 512, 1, {
            weight: (row, col) => 127 * (row === 777 ? signs[col]! : random.int(-1, 1)),
            activation: (col) => 100 * signs[col]!,
            scale: () => 0.01,
          }),
        );
        const run = new Run(get(), kernels, c);
        run.estimate();
        run.threshold(5);
        expect(run.thresholds[0]).toBe(-Infinity);
        run.refine();
        sameBits(run.y(0), c.exact[0]!, 'logits');
      });
    });
  }
});

/** 3 GiB, and addresses that would be negative as i32. */
const PAGES = 49152;
const BASE = 2 ** 31 - 65536;

function refusal(): string | undefined {
  try {
    new WebAssembly.Memory({ initial: PAGES, maximum: PAGES, shared: true });
    return undefined;
  } catch (error) {
    return `no memory of 3 GiB: ${error}`;
  }
}

const reason = refusal();
if (reason) {
  console.log(`head, high addresses: skipped, ${reason}`);
  test.skip(`high addresses (skipped: ${reason})`);
} else
  forEachVariant((get, variant) => {
    for (const kernels of KERNELS.filter((k) => !variant.startsWith('simd') || k.estimate.endsWith('Wide')))
      test(`${kernels.estimate}: planes that cross the 2 GiB line`, () => {
        const c = named('2144 x 2560, 2 tokens');
        const run = new Run(get(), kernels, c, undefined, BASE);
        run.estimate();
        run.threshold(7);
        run.refine();
        for (let t = 0; t < c.tokens; t++) {
          const want = threshold(c.estimates[t]!, c.exact[t]!, 7, c.rows);
          sameBits(run.y(t), refine(c.estimates[t]!, want.y, c.exact[t]!, want.threshold), `token ${t}`);
        }
      });
  }, PAGES);
