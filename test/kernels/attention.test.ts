// Attention over both caches against f64, and its invariance: a chunk gives the bits of single tokens.
import { describe, test } from 'vitest';
import { FLOAT_ROWS, KV_ADDRESS, POSITION } from '../../assembly/layout.ts';
import { attend } from '../ref/attention.ts';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { Random } from '../ref/random.ts';
import { ATTENTION_TOLERANCE, agree, EXP_TOLERANCE, once, sameBits, within } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

const KERNELS = ['attentionF32', 'attentionF16'] as const;
type Kernel = (typeof KERNELS)[number];

interface Case {
  heads: number;
  kvHeads: number;
  headDim: number;
  capacity: number;
  tokens: number;
  scale: number;
  q: Float32Array<ArrayBuffer>;
  /** [kvHeads, capacity, headDim] each, as stored: f32 or f16 bits. */
  keys: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
  values: Float32Array<ArrayBuffer> | Uint16Array<ArrayBuffer>;
}

function makeCase(kernel: Kernel, shape: Omit<Case, 'q' | 'keys' | 'values' | 'scale'>): Case {
  return once(`${kernel} ${JSON.stringify(shape)}`, () => {
    const { heads, kvHeads, headDim, capacity, tokens } = shape;
    const random = new Random(headDim + heads);
    const size = kvHeads * capacity * headDim;
    const store = (x: Float32Array<ArrayBuffer>) => (kernel === 'attentionF16' ? Uint16Array.from(x, f64ToF16) : x);
    return {
      ...shape,
      scale: Math.fround(1 / Math.sqrt(headDim)),
      q: random.f32(tokens * stride(shape), 4),
      keys: store(random.f32(size, 2)),
      values: store(random.f32(size, 1)),
    };
  });
}

const stride = (c: { heads: number; headDim: number }) => c.heads * c.headDim + 4;

/** out [tokens, stride] for the chunk of tokens [first, end) at position `first` of q, in calls over `bounds` rows. */
function run(v: Variant, kernel: Kernel, c: Case, position: number, first = 0, end = c.tokens, split?: number) {
  const arena = v.arena();
  const s = stride(c);
  const keys = arena.input('keys', c.keys);
  const values = arena.input('values', c.values);
  const control = arena.region('control', 64);
  arena.setI32(control + POSITION, position + first);
  arena.setI32(control + KV_ADDRESS, keys - 64);
  const q = arena.input('q', c.q.slice(first * s, end * s));
  const out = arena.inout('out', new Float32Array((end - first) * s).fill(-3));
  const perRow = 8 * c.headDim + Math.ceil(c.capacity / 4) * 16;
  const scratch = arena.region('scratch', Math.max(FLOAT_ROWS, c.heads / c.kvHeads) * perRow);
  const rows = (end - first) * c.heads;
  const bounds = split === undefined ? [0, rows] : [0, split, rows];
  for (let i = 1; i < bounds.length; i++)
    v.kernels[kernel](
      q,
      out,
      control,
      64,
      values - keys + 64,
      c.heads,
      c.kvHeads,
      c.headDim,
      c.capacity,
      s,
      s,
      c.scale,
      bounds[i - 1]!,
      bounds[i]!,
      scratch,
    );
  arena.check();
  return arena.f32(out, (end - first) * s);
}

function reference(c: Case, position: number): Float64Array {
  const s = stride(c);
  const out = new Float64Array(c.tokens * s).fill(-3);
  const f64 = (x: Float32Array | Uint16Array) => Float64Array.from(x, x instanceof Uint16Array ? f16ToF64 : Number);
  const [keys, values] = [f64(c.keys), f64(c.values)];
  for (let t = 0; t < c.tokens; t++)
    for (let h = 0; h < c.heads; h++) {
      const head = Math.floor((h * c.kvHeads) / c.heads) * c.capacity * c.headDim;
      const q = c.q.subarray(t * s + h * c.headDim, t * s + (h + 1) * c.headDim);
      const mixed = attend(q, keys.subarray(head), values.subarray(head), c.headDim, position + t + 1, c.scale);
      out.set(mixed, t * s + h * c.headDim);
    }
  return out;
}

forEachVariant((get) => {
  for (const kernel of KERNELS)
    describe(kernel, () => {
      for (const headDim of [4, 8, 40, 48, 64, 80, 96, 100, 128, 256])
        for (const [heads, kvHeads] of [
          [3, 3],
          [6, 2],
          [4, 2],
          [7, 1],
        ] as const)
          test(`${heads} heads of ${headDim} over ${kvHeads}: values, chunks and parts`, () => {
            const c = makeCase(kernel, { heads, kvHeads, headDim, capacity: 75, tokens: 6 });
            for (const position of [0, 1, 31, 60, 69]) {
              const whole = run(get(), kernel, c, position);
              const key = `${kernel} ${heads}/${kvHeads} of ${headDim} at ${position}`;
              const want = once(`${key}, reference`, () => reference(c, position));
              within(whole, want, () => ATTENTION_TOLERANCE, key);
              agree(key, whole);
              const s = stride(c);
              for (const chunk of [1, 2, 4])
                for (let t = 0; t < 6; t += chunk) {
                  const end = Math.min(t + chunk, 6);
                  const got = run(get(), kernel, c, position, t, end);
                  sameBits(got, whole.subarray(t * s, end * s), `${key}, tokens ${t} .. ${end}`);
                }
              for (const split of [1, heads, 2 * heads + 1])
                sameBits(run(get(), kernel, c, position, 0, 6, split), whole, `${key}, rows split at ${split}`);
            }
          });

      test('a long cache', () => {
        const c = makeCase(kernel, { heads: 2, kvHeads: 1, headDim: 64, capacity: 3001, tokens: 2 });
        const got = run(get(), kernel, c, 2999);
        within(
          got,
          once(`${kernel} long`, () => reference(c, 2999)),
          () => ATTENTION_TOLERANCE,
          'long',
        );
        agree(`${kernel} long`, got);
      });

      test('scores far apart: the largest wins, none is lost to overflow', () => {
        const c = { ...makeCase(kernel, { heads: 2, kvHeads: 2, headDim: 8, capacity: 9, tokens: 3 }), scale: 300 };
        const got = run(get(), kernel, c, 5);
        // The scores themselves are in the thousands here, with roundings of 1e-4.
        within(got, reference(c, 5), () => 1e-3, 'far apart');
      });

      test('scores that are all far below 0', () => {
        const c = makeCase(kernel, { heads: 1, kvHeads: 1, headDim: 8, capacity: 9, tokens: 2 });
        const keys = c.keys.map((k, i) =>
          i % 8 ? k : kernel === 'attentionF16' ? f64ToF16(1 + i / 512) : 1 + i / 512,
        );
        const q = c.q.map((x, i) => (i % stride(c) ? x / 8 : -1000));
        const low = { ...c, keys, q } as Case;
        within(run(get(), kernel, low, 6), reference(low, 6), () => 1e-4, 'low');
      });
    });

  test('e^x for x in [-87, 0], recovered from the weight of one of two positions', () => {
    const count = 8701;
    const c: Case = {
      heads: count,
      kvHeads: 1,
      headDim: 4,
      capacity: 4,
      tokens: 1,
      scale: 1,
      q: new Float32Array(count * 4 + 4),
      keys: Float32Array.of(1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
      values: Float32Array.of(1, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0),
    };
    for (let i = 0; i < count; i++) c.q[i * 4] = -i / 100;
    const out = run(get(), 'attentionF32', c, 1);
    const exp = Float64Array.from({ length: count }, (_, i) => out[i * 4]! / out[i * 4 + 1]!);
    const want = Float64Array.from({ length: count }, (_, i) => Math.exp(c.q[i * 4]!));
    within(exp, want, (i) => EXP_TOLERANCE * want[i]!, 'exp');
  });
});
