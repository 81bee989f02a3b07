// Conversions read back: the same codes and weights, the same answers, the bytes of other writers.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { convertModel } from '../../src/convert/convert.ts';
import { type ConvertOptions, embeddingTargets, ternaryTargets } from '../../src/convert/options.ts';
import { i2sByLayout } from '../../src/formats/encodings/index.ts';
import { readGguf } from '../../src/formats/gguf.ts';
import { withI2sLayout } from '../../src/formats/i2s-layout.ts';
import { bytesSource } from '../../src/formats/source.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import { load, packagedModel } from '../../src/index.ts';
import { openModel } from '../../src/open.ts';
import { currentPlatform } from '../../src/platform/current.ts';
import { expectBytes, ggufFiles, hasTruth, truthFolder, truthPath } from '../truth.ts';
import {
  collect,
  contents,
  converted,
  floatData,
  llamaKeys,
  makeGguf,
  matrix,
  modelFile,
  oneMatrix,
  someCodes,
  tensorOf,
  ternaryData,
} from './helpers.ts';

const packaged = new Uint8Array(readFileSync(fileURLToPath(packagedModel)));
const prompt = 'Once upon a time there was a little dog';

/** By their bits: toEqual takes seconds. */
function expectFloats(got: Float32Array, expected: Float32Array): void {
  expectBytes(new Uint8Array(got.buffer), new Uint8Array(expected.buffer));
}

async function logitsOf(source: Uint8Array | string): Promise<Float32Array> {
  const model = await load(source, { threads: 1 });
  try {
    const rows: number[] = [];
    for await (const row of model.logits(await model.tokenize(prompt))) rows.push(...row);
    return Float32Array.from(rows);
  } finally {
    await model.dispose();
  }
}

describe('the packaged model (TQ2_0)', () => {
  it.each(ternaryTargets)('as %s has the same codes, weights and logits', async (ternary) => {
    const before = await modelFile(packaged);
    const { bytes, file, conversion } = await converted(packaged, { ternary });
    expect(bytes.length).toBe(conversion.fileBytes);
    expect(file.tensors.map(({ name }) => name)).toEqual(before.tensors.map(({ name }) => name));
    for (const info of file.tensors) {
      const old = tensorOf(before, info.name);
      expect(info.dims).toEqual(old.dims);
      expect(info.encoding.name).toBe(old.encoding.family === 'ternary' ? ternary : old.encoding.name);
      const [was, is] = [await contents(before, old), await contents(file, info)];
      expectBytes(is.codes, was.codes);
      expectFloats(is.weights, was.weights);
    }
    expect(conversion.scaleRounding).toBeUndefined();
    expectFloats(await logitsOf(bytes), await logitsOf(packaged));
  });

  it('as TQ1_0 is what the program that exported it writes', async () => {
    const path = 'models/tinystories-bitnet-11m/tinystories-bitnet-11m.TQ1_0-q8_0.gguf';
    if (!hasTruth(path, 'the model as another program writes it')) return;
    const other = await modelFile(new Uint8Array(readFileSync(truthPath(path))));
    const { file } = await converted(packaged, { ternary: 'TQ1_0' });
    for (const info of other.tensors) {
      const mine = tensorOf(file, info.name);
      const data = ({ offsetBytes, lengthBytes }: typeof info) => [offsetBytes, lengthBytes] as const;
      expectBytes(await file.source.read(...data(mine)), await other.source.read(...data(info)));
    }
  });

  it.each(embeddingTargets)('with its embedding as %s is read as the numbers that it holds', async (embedding) => {
    const name = 'token_embd.weight';
    const before = await modelFile(packaged);
    const { file, conversion } = await converted(packaged, { embedding });
    expect(tensorOf(file, name).encoding.name).toBe(embedding);
    expect(conversion.tensors.find((tensor) => tensor.name === name)).toMatchObject({ from: 'Q8_0', to: embedding });
    const { weights } = await contents(file, tensorOf(file, name));
    const { weights: old } = await contents(before, tensorOf(before, name));
    let [difference, size] = [0, 0];
    for (let i = 0; i < old.length; i++) {
      difference += (weights[i]! - old[i]!) ** 2;
      size += old[i]! ** 2;
    }
    const limits = { Q8_0: 0, F16: 3e-4, Q6_K: 0.025 };
    expect(Math.sqrt(difference / size)).toBeLessThanOrEqual(limits[embedding]);
  });

  it('goes through unchanged a second time', async () => {
    const once = await converted(packaged, { ternary: 'I2_S', embedding: 'F16' });
    const twice = await converted(once.bytes, { ternary: 'I2_S' });
    expectBytes(twice.bytes, once.bytes);
  });
});

describe('models of other writers', () => {
  const folder = truthFolder('models');
  const files = ggufFiles(folder).filter((name) => !/\.(F16|F32)\./.test(name));

  it.runIf(folder)('keep every weight, or are refused for their scales or rows', async () => {
    let kept = 0;
    const refused: string[] = [];
    for (const name of files) {
      const old = await modelFile(new Uint8Array(readFileSync(new URL(name, folder))));
      for (const ternary of ternaryTargets) {
        const convert = async () => collect(convertModel(old, { ternary, embedding: 'F16' }).pieces);
        const out = await convert().catch((error: Error) => error);
        if (out instanceof Error) {
          expect(out.message).toMatch(/^convert: blk\.0\.\w+\.weight has (the scales|rows of \d+,) .*expected .*; /);
          refused.push(`${name} ${ternary}`);
          continue;
        }
        const file = await modelFile(out);
        for (const info of file.tensors) {
          const was = await contents(old, tensorOf(old, info.name));
          const is = await contents(file, info);
          // Separate scales are in the matrices now, and F16 rounds a Q6_K embedding.
          if (!name.includes('scale-bpe2k') && !name.includes('q6k')) expectFloats(is.weights, was.weights);
          if (info.encoding.name === ternary) expectBytes(is.codes, was.codes);
        }
        kept++;
      }
    }
    expect(kept).toBeGreaterThan(40);
    expect(refused.every((name) => /var|rowscale|long/.test(name))).toBe(true);
  });

  it.runIf(folder)('come out as those writers write them', async () => {
    for (const [from, to] of [
      ['bitnet-bpe2k.TQ2_0', 'bitnet-bpe2k.TQ1_0'],
      ['bitnet-bpe2k.TQ1_0', 'bitnet-bpe2k.TQ2_0'],
      ['llama-spm512.Q2_0', 'llama-spm512.TQ2_0'],
      ['bitnet-bpe2k.TQ2_0', 'bitnet-bpe2k.I2_S'],
    ] as const) {
      const ternary = to.split('.')[1] as 'TQ1_0' | 'TQ2_0' | 'I2_S';
      const read = (name: string) => new Uint8Array(readFileSync(new URL(`${name}.gguf`, folder)));
      const { file } = await converted(read(from), { ternary });
      const other = await modelFile(read(to));
      for (const info of other.tensors) {
        if (info.encoding.family !== 'ternary') continue;
        const mine = tensorOf(file, info.name);
        // I2_S: the codes and the scale; the 28 bytes behind are whatever the writer had in memory.
        const length = info.lengthBytes - (ternary === 'I2_S' ? 28 : 0);
        expectBytes(
          await file.source.read(mine.offsetBytes, length),
          await other.source.read(info.offsetBytes, length),
        );
      }
    }
  });

  it.runIf(folder)('have separate scales multiplied in', async () => {
    const old = await modelFile(new Uint8Array(readFileSync(new URL('bitnet-scale-bpe2k.TQ2_0.gguf', folder))));
    const conversion = convertModel(old, { ternary: 'I2_S' });
    const file = await modelFile(await collect(conversion.pieces));
    expect(file.tensors.some(({ name }) => name.endsWith('.scale'))).toBe(false);
    expect(conversion.notes).toContain('14 separate scales are multiplied into their matrices');
    const name = 'blk.1.ffn_down';
    const [factor] = (await contents(old, tensorOf(old, `${name}.scale`))).weights;
    const was = (await contents(old, tensorOf(old, `${name}.weight`))).weights;
    const is = (await contents(file, tensorOf(file, `${name}.weight`))).weights;
    expect(factor).not.toBe(1);
    expectFloats(
      is,
      was.map((weight) => weight * factor!),
    );
  });
});

it('a repository becomes a GGUF that answers as it does', async () => {
  const golden = (name: string) => readFileSync(new URL(`../golden/safetensors/${name}`, import.meta.url));
  const files = new Map([
    ['model.safetensors', golden('tiny-llama-packed.safetensors')],
    ['config.json', golden('tiny-llama-packed.config.json')],
  ]);
  const repository = {
    name: 'tiny',
    open: async (path: string) => (files.has(path) ? bytesSource(files.get(path)!) : undefined),
  };
  const opened = await openModel(repository, currentPlatform());
  const bytes = await collect(convertModel(opened.file, { ternary: 'I2_S', embedding: 'F16' }).pieces);
  await opened.close();
  const rows = async (source: Parameters<typeof load>[0]) => {
    const model = await load(source, { threads: 1, head: 'stored' });
    const out: number[] = [];
    for await (const row of model.logits([5, 4, 3, 2, 1])) out.push(...row);
    await model.dispose();
    return out;
  };
  const [was, is] = [await rows(repository), await rows(bytes)];
  // The embedding is rounded to F16.
  for (let i = 0; i < was.length; i++) expect(is[i]).toBeCloseTo(was[i]!, 2);
});

describe('ternary data', () => {
  it('of 1-bit matrices has the codes 0 and 2', async () => {
    const q1 = (bits: number[], scale: number) => {
      const data = new Uint8Array(18);
      data.set([scale & 255, scale >> 8]);
      for (const bit of bits) data[2 + (bit >> 3)]! |= 1 << (bit & 7);
      return data;
    };
    const half = 0x3800; // 0.5
    const data = Buffer.concat([q1([0, 9], half), q1([127], half)]);
    const file = makeGguf(llamaKeys, [{ name: 'blk.0.attn_q.weight', dims: [256, 1], encoding: 'Q1_0', data }]);
    for (const ternary of ternaryTargets) {
      const { file: out } = await converted(file, { ternary });
      const { codes, weights } = await contents(out, out.tensors[0]!);
      const expected = new Uint8Array(256);
      for (const at of [0, 9, 255]) expected[at] = 2;
      expectBytes(codes, expected);
      expect(weights[0]).toBe(0.5);
      expect(weights[1]).toBe(-0.5);
    }
  });

  it.each(['arm', 'rows4'] as const)(
    'of an I2_S file in the order "%s" is written in the published one',
    async (layout) => {
      const [cols, rows] = [256, 8];
      const codes = someCodes(cols * rows);
      const inOrder = await modelFile(oneMatrix('I2_S', [cols, rows], 0.25, codes));
      // The same bytes mean other codes: those that this order's own decoder sees.
      const taken = withI2sLayout(inOrder, layout);
      const seen = new Uint8Array(codes.length);
      i2sByLayout(layout, cols).decode(
        await inOrder.source.read(inOrder.tensors[0]!.offsetBytes, codes.length / 4),
        codes.length,
        seen,
        new Float32Array(1),
      );
      const out = await modelFile(await collect(convertModel(taken, { ternary: 'I2_S' }).pieces));
      expect(out.tensors[0]!.encoding.name).toBe('I2_S');
      expectBytes((await contents(out, out.tensors[0]!)).codes, seen);
      expect(Buffer.compare(seen, codes)).not.toBe(0);
    },
  );

  it('runs on over rows that are no whole blocks, as in bitnet_b1_58-3B', async () => {
    const dims: [number, number] = [192, 6];
    const { file } = await converted(oneMatrix('I2_S', dims, 0.3), { ternary: 'I2_S' });
    expectBytes((await contents(file, file.tensors[0]!)).codes, someCodes(192 * 6));
    await expect(converted(oneMatrix('I2_S', dims, 0.3), { ternary: 'TQ2_0' })).rejects.toThrow(
      'convert: blk.0.attn_q.weight has rows of 192, expected a multiple of 256 for TQ2_0; use --ternary I2_S, which has one scale for the tensor',
    );
  });

  it('is read in pieces and written in pieces', async () => {
    const source = syntheticModel('bitnet-0.7b');
    let largestRead = 0;
    const watched = {
      ...source,
      read: (offset: number, length: number, signal?: AbortSignal) => {
        largestRead = Math.max(largestRead, length);
        return source.read(offset, length, signal);
      },
    };
    const file = await readGguf(watched);
    const conversion = convertModel(file, { ternary: 'TQ2_0' });
    const done: number[] = [];
    let [total, largest, count] = [0, 0, 0];
    for await (const piece of convertModel(file, { ternary: 'TQ2_0', onProgress: (at) => done.push(at) }).pieces) {
      total += piece.length;
      largest = Math.max(largest, piece.length);
      if (++count === 60) break;
    }
    expect(largestRead).toBeLessThan(8 << 20);
    expect(largest).toBeLessThan(8 << 20);
    expect(total).toBeLessThan(conversion.fileBytes);
    expect(done.at(-1)).toBe(total);
  });

  it('stops when it is told to', async () => {
    const controller = new AbortController();
    const reason = new Error('enough');
    const { pieces } = convertModel(await readGguf(syntheticModel('bitnet-0.7b')), { signal: controller.signal });
    let count = 0;
    const run = async () => {
      for await (const _ of pieces) if (++count === 5) controller.abort(reason);
    };
    await expect(run()).rejects.toBe(reason);
    expect(count).toBe(5);
  });
});

describe('what convert refuses', () => {
  const embedding = (dims: number[], encoding = 'F32') => {
    const data = encoding === 'F32' ? floatData(new Array(dims[0]! * dims[1]!).fill(0.5)) : new Uint8Array(0);
    return { name: 'token_embd.weight', dims, encoding, data };
  };

  it.each<[string, Uint8Array, ConvertOptions, RegExp]>([
    [
      'an embedding whose rows are no multiple of 256 as Q6_K',
      makeGguf(llamaKeys, [embedding([64, 4]), matrix('TQ2_0', [256, 2], 1)]),
      { embedding: 'Q6_K' },
      /^convert: token_embd\.weight has rows of 64, expected a multiple of 256 for Q6_K; use --embedding Q8_0 or F16$/,
    ],
    [
      'an embedding whose rows are no multiple of 32 as Q8_0',
      makeGguf(llamaKeys, [embedding([48, 4]), matrix('TQ2_0', [256, 2], 1)]),
      { embedding: 'Q8_0' },
      /^convert: token_embd\.weight has rows of 48, expected a multiple of 32 for Q8_0; use --embedding F16$/,
    ],
    [
      'a model without ternary matrices',
      makeGguf(llamaKeys, [embedding([64, 4])]),
      {},
      /^convert: in\.gguf has no ternary or 1-bit matrix, expected a model with some$/,
    ],
    [
      'an architecture that nobody knows',
      makeGguf([['general.architecture', 'string', 'x']], [matrix('TQ2_0', [256, 2], 1)]),
      {},
      /^model: architecture "x" is not known/,
    ],
    [
      'a matrix beyond F16',
      makeGguf(llamaKeys, [
        { name: 'blk.0.ffn_up.weight', dims: [4, 2], encoding: 'F32', data: floatData([1, 2, 3, 4, 5, 6, 7, 70000]) },
        matrix('TQ2_0', [256, 2], 1),
      ]),
      {},
      /^convert: blk\.0\.ffn_up\.weight holds 70000, expected at most 65504, the most that F16 holds$/,
    ],
    [
      'a norm that is no number',
      makeGguf(llamaKeys, [
        { name: 'blk.0.attn_norm.weight', dims: [2], encoding: 'F32', data: floatData([1, Number.NaN]) },
        matrix('TQ2_0', [256, 2], 1),
      ]),
      {},
      /^convert: blk\.0\.attn_norm\.weight holds a number that is infinite or none, expected finite numbers/,
    ],
    [
      'wrong options',
      packaged,
      { ternary: 'Q4_0' as 'I2_S' },
      /^convert: ternary is "Q4_0", expected TQ2_0, TQ1_0 or I2_S$/,
    ],
    [
      'wrong options',
      packaged,
      { embedding: 'F32' as 'F16' },
      /^convert: embedding is "F32", expected F16, Q8_0 or Q6_K$/,
    ],
  ])('%s', async (_, bytes, options, message) => {
    await expect(converted(bytes, options)).rejects.toThrow(message);
  });

  it('a code 3, by the name of its tensor', async () => {
    const data = ternaryData('TQ2_0', someCodes(512), 1);
    data[70] = 0xff;
    const bytes = makeGguf(llamaKeys, [{ ...matrix('TQ2_0', [256, 2], 1), data }]);
    await expect(converted(bytes, { ternary: 'I2_S' })).rejects.toThrow(
      /^model: blk\.0\.attn_q\.weight: TQ2_0: the data holds a code 3/,
    );
  });

  it('BitMamba, which nobody reads as GGUF', async () => {
    if (!hasTruth('truth/bitmamba/bm256.bin', 'a BitMamba file')) return;
    const { file, close } = await openModel(truthPath('truth/bitmamba/bm256.bin'), currentPlatform());
    expect(() => convertModel(file)).toThrow('convert: no program reads bitmamba2 as GGUF');
    await close();
  });
});
