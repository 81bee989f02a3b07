// Attention over the int8 and int4 caches: bit for bit against a scalar model, near attention in f64, and the same in
// chunks, parts and among forms.
import { describe, expect, test } from 'vitest';
import { ATTENTION_ROWS, KV_ADDRESS, KV_BLOCK, POSITION } from '../../assembly/layout.ts';
import { attend, attendCodes, type Bits, encodeRow, headBytes, storeRow } from '../ref/attention.ts';
import { Random } from '../ref/random.ts';
import { once, sameBits } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const KERNELS = { 8: ['attentionI8Dot', 'attentionI8Wide'], 4: ['attentionI4Dot', 'attentionI4Wide'] } as const;
type Kernel = (typeof KERNELS)[Bits][number];
const JUNK = [0x81, 0x5a, 0xc5, 0x7f];

interface Shape {
  heads: number;
  kvHeads: number;
  headDim: number;
  capacity: number;
  /** Positions whose keys and values are there. */
  written: number;
  tokens: number;
}

const stride = (s: { heads: number; headDim: number }) => s.heads * s.headDim + 4;

const scratchBytes = (headDim: number) =>
  ATTENTION_ROWS * (64 + 7 * KV_BLOCK) + (7 * ATTENTION_ROWS + 5) * Math.ceil(headDim / 8) * 8;

/** Numbers of a normal distribution, near enough: eight uniform ones added. */
function normal(random: Random, count: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: count }, () => {
    let sum = 0;
    for (let i = 0; i < 8; i++) sum += random.next() - 0.5;
    return sum * 1.2247448713915892;
  });
}

function makeCase(bits: Bits, shape: Shape, outlier = 1) {
  return once(`${bits} ${outlier} ${JSON.stringify(shape)}`, () => {
    const { heads, kvHeads, headDim, capacity, written, tokens } = shape;
    const random = new Random(headDim + heads);
    const rows = () =>
      Array.from({ length: kvHeads }, () =>
        Array.from({ length: written }, () => {
          const x = normal(random, headDim);
          // One channel stands out, as in keys of real models.
          x[1]! *= outlier;
          return x;
        }),
      );
    const [k, v] = [rows(), rows()];
    const most = bits === 8 ? 127 : 7;
    const encode = (all: Float32Array<ArrayBuffer>[][]) => all.map((head) => head.map((row) => encodeRow(row, most)));
    const [keys, values] = [encode(k), encode(v)];
    const bytes = headBytes(headDim, capacity, bits);
    const image = (codes: typeof keys, isValues: boolean) => {
      const all = Uint8Array.from({ length: kvHeads * bytes }, (_, i) => JUNK[i % 4]!);
      codes.forEach((head, h) => {
        const part = all.subarray(h * bytes, (h + 1) * bytes);
        head.forEach((row, p) => {
          storeRow(part, row, p, bits, isValues);
        });
      });
      return all;
    };
    const q = normal(random, tokens * stride(shape));
    for (let i = 1; i < q.length; i += headDim) q[i]! /= outlier;
    return {
      ...shape,
      bits,
      ...{ q, k, v, keys, values, scale: Math.fround(1 / Math.sqrt(headDim)) },
      keyBytes: image(keys, false),
      valueBytes: image(values, true),
    };
  });
}

type Case = ReturnType<typeof makeCase>;

/** out [tokens, stride] for the tokens [first, end) of the chunk at `position`, in calls over `bounds` rows. */
function run(v: Variant, kernel: Kernel, c: Case, position: number, first = 0, end = c.tokens, split: number[] = []) {
  const arena = v.arena();
  const s = stride(c);
  const keys = arena.input('keys', c.keyBytes);
  const values = arena.input('values', c.valueBytes);
  const control = arena.region('control', 64);
  arena.setI32(control + POSITION, position + first);
  arena.setI32(control + KV_ADDRESS, keys - 64);
  const q = arena.input('q', c.q.slice(first * s, end * s));
  const out = arena.inout('out', new Float32Array((end - first) * s).fill(-3));
  const scratch = arena.region('scratch', scratchBytes(c.headDim));
  const bounds = [0, ...split, (end - first) * c.heads];
  const shape = [c.heads, c.kvHeads, c.headDim, c.capacity, s, s, c.scale] as const;
  for (let i = 1; i < bounds.length; i++)
    v.kernels[kernel](q, out, control, 64, values - keys + 64, ...shape, bounds[i - 1]!, bounds[i]!, scratch);
  arena.check();
  return arena.f32(out, (end - first) * s);
}

/** Each head of each token by itself, by `one` (query, kv head, positions). */
function perHead(c: Case, position: number, one: (q: Float32Array, g: number, count: number) => ArrayLike<number>) {
  const s = stride(c);
  const out = new Float32Array(c.tokens * s).fill(-3);
  for (let t = 0; t < c.tokens; t++)
    for (let h = 0; h < c.heads; h++) {
      const at = t * s + h * c.headDim;
      const g = Math.floor((h * c.kvHeads) / c.heads);
      out.set(one(c.q.subarray(at, at + c.headDim), g, position + t + 1), at);
    }
  return out;
}

function reference(c: Case, position: number): Float32Array {
  return once(`${JSON.stringify([c.bits, c.heads, c.kvHeads, c.headDim, c.written, c.q[0], c.scale, position])}`, () =>
    perHead(c, position, (q, g, count) =>
      attendCodes(q, c.keys[g]!.slice(0, count), c.values[g]!.slice(0, count), c.scale, c.bits),
    ),
  );
}

/** Root mean square of the error, relative to attention in f64 over the keys and values as they were. */
function error(c: Case, position: number, got: Float32Array): number {
  const flat = (rows: Float32Array[]) => Float64Array.from(rows.flatMap((r) => [...r]));
  const [k, v] = [c.k.map(flat), c.v.map(flat)];
  const want = perHead(c, position, (q, g, count) => attend(q, k[g]!, v[g]!, c.headDim, count, c.scale));
  let [wrong, all] = [0, 0];
  want.forEach((w, i) => {
    wrong += (got[i]! - w) ** 2;
    all += w === -3 ? 0 : w * w;
  });
  return Math.sqrt(wrong / all);
}

forEachVariant((get, variant) => {
  for (const bits of [8, 4] as const)
    for (const kernel of KERNELS[bits]) {
      if (variant.startsWith('simd') && kernel.endsWith('Dot')) {
        test(`${kernel} traps in a build without relaxed SIMD`, () => {
          const c = makeCase(bits, { heads: 1, kvHeads: 1, headDim: 8, capacity: 4, written: 1, tokens: 1 });
          expect(() => run(get(), kernel, c, 0)).toThrow(WebAssembly.RuntimeError);
        });
        continue;
      }
      describe(kernel, () => {
        for (const headDim of [4, 8, 40, 48, 64, 80, 96, 100, 128, 256])
          for (const [heads, kvHeads] of [
            [2, 2],
            [8, 2],
            [5, 1],
          ] as const)
            test(`${heads} heads of ${headDim} over ${kvHeads}: values, chunks and parts`, () => {
              const c = makeCase(bits, { heads, kvHeads, headDim, capacity: 133, written: 133, tokens: 6 });
              const s = stride(c);
              for (const position of [0, 60, 127]) {
                const key = `at ${position}`;
                const whole = run(get(), kernel, c, position);
                sameBits(whole, reference(c, position), key);
                for (const chunk of [1, 2, 4])
                  for (let t = 0; t < 6; t += chunk) {
                    const end = Math.min(t + chunk, 6);
                    const got = run(get(), kernel, c, position, t, end);
                    sameBits(got, whole.subarray(t * s, end * s), `${key}, tokens ${t} .. ${end}`);
                  }
                for (const split of [[1], [heads], [2 * heads + 1, 3 * heads - 1]])
                  sameBits(run(get(), kernel, c, position, 0, 6, split), whole, `${key}, rows split at ${split}`);
              }
            });

        test('1 to 600 positions, in memory that holds junk from there on', () => {
          for (const count of [1, 2, 3, 7, 15, 16, 17, 63, 64, 65, 127, 129, 255, 321, 449, 599, 600]) {
            const c = makeCase(bits, { heads: 3, kvHeads: 1, headDim: 64, capacity: 600, written: count, tokens: 1 });
            sameBits(run(get(), kernel, c, count - 1), reference(c, count - 1), `${count} positions`);
          }
        });

        test('more heads over one kv head than go together', () => {
          const c = makeCase(bits, { heads: 21, kvHeads: 1, headDim: 16, capacity: 80, written: 80, tokens: 3 });
          sameBits(run(get(), kernel, c, 70), reference(c, 70), 'whole');
          sameBits(run(get(), kernel, c, 70, 0, 3, [20, 40]), reference(c, 70), 'in parts');
        });

        test('a chunk of 40 tokens', () => {
          const c = makeCase(bits, { heads: 4, kvHeads: 2, headDim: 32, capacity: 140, written: 140, tokens: 40 });
          sameBits(run(get(), kernel, c, 99), reference(c, 99), 'whole');
        });

        test('zeros, and scores far apart', () => {
          const shape = { heads: 2, kvHeads: 1, headDim: 8, capacity: 70, written: 70, tokens: 3 };
          const c = makeCase(bits, shape);
          const zero = { ...c, q: new Float32Array(c.q.length) };
          sameBits(run(get(), kernel, zero, 66), reference(zero, 66), 'q of zeros');
          const far = { ...c, scale: 300, q: c.q.map((x) => x * 2) };
          sameBits(run(get(), kernel, far, 66), reference(far, 66), 'far apart');
        });

        // A channel of 30 times the others would cost ten times that if rows were not turned.
        for (const [outlier, allowed] of [
          [1, { 8: 0.015, 4: 0.18 }],
          [30, { 8: 0.025, 4: 0.25 }],
        ] as const)
          test(`near attention in f64, one channel ${outlier} times the others`, () => {
            const shape = { heads: 8, kvHeads: 2, headDim: 128, capacity: 700, written: 700, tokens: 1 };
            const c = makeCase(bits, shape, outlier);
            for (const count of [1, 9, 64, 200, 700]) {
              const e = error(c, count - 1, run(get(), kernel, c, count - 1));
              expect(e).toBeLessThan(allowed[bits]);
            }
          });
      });
    }
});
