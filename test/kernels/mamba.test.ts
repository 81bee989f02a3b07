// The middle of a Mamba-2 block against f64, and its invariance: chunks and ranges of channels give the bits of the
// whole.
import { describe, expect, test } from 'vitest';
import { KV_ADDRESS, POSITION } from '../../assembly/layout.ts';
import { type MambaWeights, mambaBlock, softplus } from '../ref/mamba.ts';
import { Random } from '../ref/random.ts';
import { agree, EXP_TOLERANCE, once, sameBits, within } from './compare.ts';
import { forEachVariant, type Variant } from './variants.ts';

/** Of the magnitudes: roundings of the step size pass through the decay, and those of the convolution through SiLU. */
const MAMBA_TOLERANCE = 1e-6;
const SCRATCH_BYTES = 64;
const OFFSET_BYTES = 192;

interface Case extends MambaWeights {
  convW: Float32Array<ArrayBuffer>;
  convB: Float32Array<ArrayBuffer>;
  dtBias: Float32Array<ArrayBuffer>;
  aLog: Float32Array<ArrayBuffer>;
  d: Float32Array<ArrayBuffer>;
  stride: number;
  tokens: number;
  /** [tokens, stride] */
  p: Float32Array<ArrayBuffer>;
}

function makeCase(heads: number, headDim: number, tokens: number): Case {
  return once(`mamba ${heads} x ${headDim}, ${tokens}`, () => {
    const innerDim = heads * headDim;
    const random = new Random(heads * 100 + headDim);
    const stride = 2 * innerDim + 3 * heads + 4;
    return {
      ...{ innerDim, heads, stride, tokens },
      convW: random.f32(innerDim * 4),
      convB: random.f32(innerDim),
      dtBias: random.f32(heads, 3),
      aLog: random.f32(heads, 2),
      d: random.f32(innerDim, 2),
      p: random.f32(tokens * stride, 3),
    };
  });
}

interface Call {
  /** Chunks by their first tokens, and the end. */
  chunks: number[];
  /** Ranges of channels. */
  channels: number[];
  /** y in the place of z. */
  inPlace?: boolean;
}

/** y [tokens, innerDim] and the state after the last token. */
function run(v: Variant, c: Case, call: Partial<Call> = {}) {
  const { chunks = [0, c.tokens], channels = [0, c.innerDim], inPlace = false } = call;
  const { innerDim, heads, stride } = c;
  const arena = v.arena();
  const weights = [c.convW, c.convB, c.dtBias, c.aLog, c.d].map((w, i) => arena.input(`weights ${i}`, w));
  const control = arena.region('control', 64);
  // Left as junk: the first token must not see it.
  const state = arena.region('state', OFFSET_BYTES + 16 * innerDim);
  const before = arena.u8(state, OFFSET_BYTES).slice();
  arena.setI32(control + KV_ADDRESS, state);
  const scratch = arena.region('scratch', SCRATCH_BYTES);
  const yStride = inPlace ? stride : innerDim + 8;
  const y = new Float32Array(c.tokens * innerDim);
  for (let i = 1; i < chunks.length; i++) {
    const [first, end] = [chunks[i - 1]!, chunks[i]!];
    // None, one or two tokens in front that are not in the range.
    const lead = Math.min((i - 1) % 3, first);
    const rows = c.p.slice((first - lead) * stride, end * stride);
    const p = inPlace ? arena.inout(`p ${i}`, rows) : arena.input(`p ${i}`, rows);
    const out = inPlace ? p : arena.inout(`y ${i}`, new Float32Array((end - first + lead) * yStride).fill(7));
    arena.setI32(control + POSITION, first - lead);
    const range = arena.range(lead, end - first + lead);
    for (let j = 1; j < channels.length; j++)
      v.kernels.mambaF32(
        ...([p, stride, weights[0]!, weights[1]!, weights[2]!, weights[3]!, weights[4]!, control] as const),
        ...([OFFSET_BYTES, out, yStride, innerDim, heads, range, channels[j - 1]!, channels[j]!, scratch] as const),
      );
    const got = arena.f32(out, (end - first + lead) * yStride);
    const untouched = inPlace ? rows : new Float32Array(got.length).fill(7);
    for (let t = 0; t < end - first + lead; t++) {
      const row = got.subarray(t * yStride, (t + 1) * yStride);
      const written = t < lead ? 0 : innerDim;
      sameBits(row.subarray(written), untouched.subarray(t * yStride + written, (t + 1) * yStride), `beside y[${t}]`);
      if (t >= lead) y.set(row.subarray(0, innerDim), (first - lead + t) * innerDim);
    }
  }
  arena.check();
  sameBits(arena.u8(state, OFFSET_BYTES).slice(), before, 'before the state');
  return { y, state: arena.f32(state + OFFSET_BYTES, 4 * innerDim) };
}

forEachVariant((get) => {
  for (const [heads, headDim] of [
    [1, 4],
    [3, 176],
    [4, 128],
    [5, 20],
  ] as const)
    describe(`${heads} heads of ${headDim}`, () => {
      const tokens = 37;
      const make = () => makeCase(heads, headDim, tokens);
      const inner = heads * headDim;

      test('against f64', () => {
        const c = make();
        const { y, state } = run(get(), c);
        const want = once(`mamba ${heads} x ${headDim}, reference`, () => mambaBlock(c, c.p, c.stride));
        within(y, want.y, (i) => MAMBA_TOLERANCE * want.magnitude[i]!, 'y');
        agree(`mamba ${heads} x ${headDim}`, y);
        agree(`mamba ${heads} x ${headDim}, state`, state);
      });

      test('chunks and single tokens give the bits of the whole', () => {
        const c = make();
        const whole = run(get(), c);
        for (const size of [1, 2, 3, 8, 9, 16, 36]) {
          const chunks = Array.from({ length: Math.ceil(tokens / size) }, (_, i) => i * size).concat(tokens);
          const got = run(get(), c, { chunks });
          sameBits(got.y, whole.y, `chunks of ${size}`);
          sameBits(got.state, whole.state, `state after chunks of ${size}`);
        }
      });

      test('ranges of channels give the bits of the whole, wherever heads end', () => {
        const c = make();
        const whole = run(get(), c);
        for (const channels of [
          [0, 4, inner],
          [0, 4 * Math.floor(inner / 8), inner],
          Array.from({ length: inner / 4 + 1 }, (_, i) => 4 * i),
        ]) {
          const got = run(get(), c, { channels, chunks: [0, 10, tokens] });
          sameBits(got.y, whole.y, `channels ${channels}`);
          sameBits(got.state, whole.state, `state, channels ${channels}`);
        }
      });

      test('y may take the place of z', () => {
        sameBits(run(get(), make(), { inPlace: true, chunks: [0, 5, tokens] }).y, run(get(), make()).y, 'y');
      });
    });

  test('an empty range does nothing, not even to a state that is junk', () => {
    const { y, state } = run(get(), makeCase(5, 20, 37), { chunks: [0, 0] });
    expect(y.every((v) => v === 0)).toBe(true);
    expect(state.every((v) => Number.isNaN(v))).toBe(true);
  });

  test('softplus from -87 to 100, recovered from a state of gain 1', () => {
    // One token, heads of four channels: y = (20 * D * 1 + 20 * 0) * 20, for silu(20) rounds to 20.
    const heads = 1871;
    const innerDim = heads * 4;
    const numbers = (count: number, value: number) => new Float32Array(count).fill(value);
    const v = Float32Array.from({ length: heads }, (_, i) => (i - 870) / 10);
    const p = new Float32Array(2 * innerDim + 3 * heads);
    p.fill(20, 0, innerDim)
      .fill(1, 2 * innerDim, 2 * innerDim + 2 * heads)
      .set(v, 2 * innerDim + 2 * heads);
    const c: Case = {
      ...{ innerDim, heads, stride: p.length, tokens: 1, p },
      ...{ convW: numbers(innerDim * 4, 1), convB: numbers(innerDim, 20), d: numbers(innerDim, 0) },
      ...{ dtBias: numbers(heads, 0), aLog: numbers(heads, 0) },
    };
    const { y } = run(get(), c);
    const got = Float64Array.from(v, (_, i) => y[4 * i]! / 400);
    const want = Float64Array.from(v, softplus);
    within(got, want, (i) => 2 * EXP_TOLERANCE * want[i]!, 'softplus');
    agree('softplus', y);
  });

  test('step sizes that are huge forget the past and stay finite', () => {
    const c = makeCase(5, 20, 37);
    const huge = { ...c, dtBias: c.dtBias.map(() => 1000) };
    const { y } = run(get(), huge);
    const want = mambaBlock(huge, huge.p, huge.stride);
    within(y, want.y, (i) => MAMBA_TOLERANCE * want.magnitude[i]!, 'y');
  });
});
