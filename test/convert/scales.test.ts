// Scales between granularities: kept where they can be, refused where they cannot.
import { describe, expect, it } from 'vitest';
import type { TernaryTarget } from '../../src/convert/options.ts';
import { toF16Bits } from '../../src/formats/f16.ts';
import { contents, converted, llamaKeys, makeGguf, matrix, oneMatrix, someCodes } from './helpers.ts';

const zeros = (elems: number) => new Uint8Array(elems).fill(1);
const name = 'blk.0.attn_q.weight';

async function weightsOf(bytes: Uint8Array, ternary: TernaryTarget) {
  const { file, conversion } = await converted(bytes, { ternary });
  return { ...(await contents(file, file.tensors[0]!)), conversion };
}

describe('one scale for the tensor', () => {
  it('is what blocks with the same scale have, and blocks of zeros with any', async () => {
    const codes = Uint8Array.from([...someCodes(256), ...zeros(256), ...someCodes(256, 7)]);
    const bytes = oneMatrix('TQ2_0', [256, 3], [0.5, 8, 0.5], codes);
    const { codes: out, weights } = await weightsOf(bytes, 'I2_S');
    expect(out).toEqual(codes);
    expect(Math.max(...weights)).toBe(0.5);
  });

  it('makes weights of scale 0 zeros', async () => {
    const codes = Uint8Array.from([...someCodes(256), ...someCodes(256, 7)]);
    const { codes: out } = await weightsOf(oneMatrix('TQ2_0', [256, 2], [0, 0.25], codes), 'I2_S');
    expect(out.subarray(0, 256)).toEqual(zeros(256));
    expect(out.subarray(256)).toEqual(codes.subarray(256));
  });

  it('comes with zeros first too', async () => {
    const codes = Uint8Array.from([...zeros(256), ...someCodes(256)]);
    const { weights } = await weightsOf(oneMatrix('TQ1_0', [256, 2], [3, 0.25], codes), 'I2_S');
    expect(Math.max(...weights)).toBe(0.25);
  });

  it('is 0 where there is nothing else', async () => {
    const { weights } = await weightsOf(oneMatrix('TQ2_0', [256, 1], 0), 'I2_S');
    expect(weights.every((weight) => weight === 0)).toBe(true);
  });

  it('is refused where blocks differ', async () => {
    await expect(weightsOf(oneMatrix('TQ2_0', [256, 2], [0.5, 0.25]), 'I2_S')).rejects.toThrow(
      `convert: ${name} has the scales 0.5 and 0.25, expected one for the whole tensor for I2_S; use --ternary TQ2_0`,
    );
    await expect(weightsOf(oneMatrix('TQ2_0', [256, 2], [0.5, -0.5]), 'I2_S')).rejects.toThrow(
      'the scales 0.5 and -0.5',
    );
  });
});

describe('a scale per 256', () => {
  /** Two groups of 128 with scales of their own. */
  const q1 = (first: number, second: number, cols = 256) => {
    const block = (scale: number) => {
      const half = toF16Bits(scale);
      return [half & 255, half >> 8, ...new Array(16).fill(0xa5)];
    };
    const data = Uint8Array.from([...block(first), ...block(second)]);
    return makeGguf(llamaKeys, [{ name, dims: [cols, 256 / cols], encoding: 'Q1_0', data }]);
  };

  it('is what equal groups of 128 have', async () => {
    const { weights } = await weightsOf(q1(0.5, 0.5), 'TQ2_0');
    expect(Math.max(...weights)).toBe(0.5);
  });

  it('is refused where they differ, with no cure that does not exist', async () => {
    await expect(weightsOf(q1(0.5, 0.25), 'TQ2_0')).rejects.toThrow(
      `convert: ${name} has the scales 0.5 and 0.25, expected one for 256 weights in a row; no encoding that other engines read holds it: keep the file as it is`,
    );
    await expect(weightsOf(q1(0.5, 0.25, 128), 'I2_S')).rejects.toThrow(
      '; no encoding that other engines read holds it',
    );
  });

  it('takes a group of scale 0 as zeros', async () => {
    const { codes, weights } = await weightsOf(q1(0.5, 0), 'TQ1_0');
    expect(codes.subarray(128)).toEqual(zeros(128));
    expect(Math.max(...weights)).toBe(0.5);
  });
});

describe('f16', () => {
  it('rounds what it does not hold, and says by how much', async () => {
    const { weights, conversion } = await weightsOf(oneMatrix('I2_S', [256, 4], 0.1), 'TQ2_0');
    const rounded = 0.0999755859375;
    expect(Math.max(...weights)).toBe(rounded);
    const scale = Math.fround(0.1);
    expect(conversion.scaleRounding).toEqual({ tensor: name, relative: (scale - rounded) / scale });
    expect((await weightsOf(oneMatrix('I2_S', [256, 4], 0.1), 'I2_S')).conversion.scaleRounding).toBeUndefined();
  });

  it('tells the worst of several', async () => {
    const tensors = [0.1, 0.7, 0.25].map((scale, i) => ({
      ...matrix('I2_S', [256, 2], scale),
      name: `blk.${i}.attn_q.weight`,
    }));
    const { conversion } = await converted(makeGguf(llamaKeys, tensors), { ternary: 'TQ1_0' });
    const relative = (scale: number) => {
      const exact = Math.fround(scale);
      const half =
        Math.round(exact * 2 ** (10 - Math.floor(Math.log2(exact)))) / 2 ** (10 - Math.floor(Math.log2(exact)));
      return Math.abs(half - exact) / exact;
    };
    const worst = relative(0.1) > relative(0.7) ? 0 : 1;
    expect(conversion.scaleRounding?.tensor).toBe(`blk.${worst}.attn_q.weight`);
    expect(conversion.scaleRounding?.relative).toBeLessThanOrEqual(2 ** -11);
  });

  it.each([1e-6, 70000, -1e5])('does not do for the scale %d', async (scale) => {
    await expect(weightsOf(oneMatrix('I2_S', [256, 1], scale), 'TQ2_0')).rejects.toThrow(
      `convert: ${name} has the scale ${Math.fround(scale)}, expected one that f16 holds, from 0.00006103515625 to 65504; use --ternary I2_S`,
    );
    expect((await weightsOf(oneMatrix('I2_S', [256, 1], scale), 'I2_S')).weights).toContain(Math.fround(scale));
  });

  it('does for small scales that it holds exactly', async () => {
    const { weights } = await weightsOf(oneMatrix('TQ2_0', [256, 1], 2 ** -20), 'TQ1_0');
    expect(Math.max(...weights)).toBe(2 ** -20);
  });
});

it.each([Number.NaN, Number.POSITIVE_INFINITY])('the scale %d is damage', async (scale) => {
  const bytes = oneMatrix('I2_S', [256, 1], 0.5);
  new DataView(bytes.buffer).setFloat32(bytes.length - 32, scale, true);
  for (const ternary of ['TQ2_0', 'I2_S'] as const)
    await expect(converted(bytes, { ternary })).rejects.toThrow(`model: ${name}: I2_S: the tensor's scale is ${scale}`);
});
