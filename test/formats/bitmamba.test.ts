// The reader of BitMamba's .bin: other people's files with their logits, and files that are broken in every way.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { TernlightError } from '../../src/errors.ts';
import { readBitmamba } from '../../src/formats/bitmamba.ts';
import { bitmambaTernary } from '../../src/formats/bitmamba-encoding.ts';
import { isBitmamba, isReversedBitmamba } from '../../src/formats/sniff.ts';
import { bytesSource, streamSource } from '../../src/formats/source.ts';
import type { ByteSource, ModelFile, TensorInfo } from '../../src/formats/types.ts';
import { mambaBlock } from '../ref/mamba.ts';
import { quantize, rmsNorm } from '../ref/norm.ts';
import { Random } from '../ref/random.ts';
import { truthFloats, truthFolder, truthJson, truthPath } from '../truth.ts';
import { countingSource } from './counting-source.ts';

/** What a test changes in a small file: vocab 12, d_model 16, 1 layer, 2 heads. */
interface Changes {
  header?: Partial<Record<0 | 1 | 2 | 3 | 4, number>>;
  /** Tensor by its place -> words of its header by their place. */
  tensor?: Record<number, Record<number, number>>;
  scale?: number;
  extraBytes?: number;
}

const small = { vocab: 12, dim: 16, inner: 32, heads: 2 };

function file({ header = {}, tensor = {}, scale = 4, extraBytes = 0 }: Changes = {}): Uint8Array<ArrayBuffer> {
  const { vocab, dim, inner, heads } = small;
  const random = new Random(7);
  const parts: Uint8Array[] = [];
  const ints = (...values: number[]) => new Uint8Array(Int32Array.from(values).buffer);
  const put = (words: number[], data: Uint8Array) => {
    const head = Int32Array.from(words);
    for (const [at, value] of Object.entries(tensor[(parts.length - 1) / 2] ?? {})) head[Number(at)] = value;
    parts.push(new Uint8Array(head.buffer), data);
  };
  const floats = (...shape: number[]) => {
    const count = shape.reduce((a, b) => a * b);
    put([0, shape.length, ...shape], new Uint8Array(random.f32(count).buffer));
  };
  const ternary = (rows: number, cols: number) => {
    const bits = new Int32Array(Float32Array.of(scale).buffer)[0]!;
    const bytes = Uint8Array.from({ length: (rows * cols) / 4 }, () =>
      [0, 2, 4, 6].reduce((byte, shift) => byte | (random.int(0, 2) << shift), 0),
    );
    put([2, rows, cols, bits], bytes);
  };
  const words = [0x42495432, vocab, dim, 1, heads];
  for (const [at, value] of Object.entries(header)) words[Number(at)] = value;
  parts.push(ints(...words));
  floats(vocab, dim);
  floats(dim);
  ternary(2 * inner + 3 * heads, dim);
  floats(inner, 1, 4);
  floats(inner);
  floats(heads);
  floats(heads);
  floats(inner);
  floats(inner);
  ternary(dim, inner);
  floats(dim);
  floats(dim);
  ternary(vocab, dim);
  parts.push(new Uint8Array(extraBytes));
  const out = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
}

test('a file as metadata and tensors', async () => {
  const bytes = file();
  const counting = countingSource(bytesSource(bytes, '/some/where/bitmamba_1b.BIN'));
  const { format, metadata, tensors } = await readBitmamba(counting);
  expect(format).toBe('BitMamba');
  expect(metadata.string('general.architecture')).toBe('bitmamba2');
  expect(metadata.string('general.name')).toBe('bitmamba_1b');
  const integers = ['vocab_size', 'embedding_length', 'block_count', 'context_length'].map((key) =>
    metadata.integer(`bitmamba2.${key}`),
  );
  expect(integers).toEqual([12, 16, 1, 1048576]);
  const ssm = ['inner_size', 'head_count', 'conv_kernel'].map((key) => metadata.integer(`bitmamba2.ssm.${key}`));
  expect(ssm).toEqual([32, 2, 4]);
  expect(metadata.float('bitmamba2.attention.layer_norm_rms_epsilon')).toBe(Math.fround(1e-6));
  expect(tensors.map(({ name, dims, encoding, scale }) => [name, dims, encoding.name, scale])).toEqual([
    ['token_embd.weight', [16, 12], 'F32', undefined],
    ['blk.0.ssm_in_norm.weight', [16], 'F32', undefined],
    ['blk.0.ssm_in.weight', [16, 70], 'BitMamba', 0.25],
    ['blk.0.ssm_conv1d.weight', [4, 32], 'F32', undefined],
    ['blk.0.ssm_conv1d.bias', [32], 'F32', undefined],
    ['blk.0.ssm_dt.bias', [2], 'F32', undefined],
    ['blk.0.ssm_a', [2], 'F32', undefined],
    ['blk.0.ssm_d', [32], 'F32', undefined],
    ['blk.0.ssm_out_norm.weight', [32], 'F32', undefined],
    ['blk.0.ssm_out.weight', [32, 16], 'BitMamba', 0.25],
    ['output_norm.weight', [16], 'F32', undefined],
    ['output_in_norm.weight', [16], 'F32', undefined],
    ['output.weight', [16, 12], 'BitMamba', 0.25],
  ]);
  const last = tensors.at(-1)!;
  expect(last.offsetBytes + last.lengthBytes).toBe(bytes.length);
  // Headers only, front to back.
  expect(counting.readBytes).toBe(20 + 3 * 16 + 16 + 20 + 8 * 12);
  counting.reads.reduce((end, read) => {
    expect(read.offsetBytes).toBeGreaterThanOrEqual(end);
    return read.offsetBytes + read.lengthBytes;
  }, 0);
});

test('a stream of unknown length', async () => {
  const { tensors } = await readBitmamba(streamSource(new Blob([file()]).stream()));
  expect(tensors.length).toBe(13);
});

test('the encoding: the lowest bits first; a code 3 is refused', () => {
  const codes = new Uint8Array(8);
  bitmambaTernary.decode(Uint8Array.of(0b10_01_00_10, 0b00_00_01_00), 8, codes, new Float32Array(0));
  expect([...codes]).toEqual([2, 0, 1, 2, 0, 1, 0, 0]);
  for (const bad of [0b11, 0b1100, 0b110000, 0b11000000])
    expect(() => bitmambaTernary.decode(Uint8Array.of(0, bad), 8, codes, new Float32Array(0))).toThrow(
      'BitMamba: the data holds a code 3, expected 0, 1 or 2; the file is damaged',
    );
  bitmambaTernary.decode(Uint8Array.of(0b01_10_01_10), 4, codes, new Float32Array(0)); // 1 and 2 side by side
});

test('what looks like one', () => {
  expect(isBitmamba(file().subarray(0, 4))).toBe(true);
  expect(isReversedBitmamba(Uint8Array.of(0x42, 0x49, 0x54, 0x32, 9))).toBe(true);
  for (const looks of [isBitmamba, isReversedBitmamba]) {
    expect(looks(Uint8Array.of(0x32, 0x54, 0x49))).toBe(false);
    expect(looks(Uint8Array.of(0x47, 0x47, 0x55, 0x46))).toBe(false);
  }
});

const where = 'bitmamba: bytes:';
const cases: [what: string, bytes: Uint8Array<ArrayBuffer>, message: string][] = [
  ['nothing', new Uint8Array(0), `${where} is not a BitMamba file: it looks like an empty file`],
  ['another magic', file({ header: { 0: 1 } }), `${where} is not a BitMamba file: it looks like something else`],
  [
    'a reversed magic',
    file({ header: { 0: 0x32544942 } }),
    `bitmamba: bytes has its magic reversed: it is big-endian, expected little-endian; export the model anew`,
  ],
  ['vocab 0', file({ header: { 1: 0 } }), `${where} vocab is 0, expected 1 to 16777216`],
  ['vocab -1', file({ header: { 1: -1 } }), `${where} vocab is -1, expected 1 to 16777216`],
  ['d_model huge', file({ header: { 2: 2 ** 30 } }), `${where} d_model is 1073741824, expected 1 to 1048576`],
  ['d_model 18', file({ header: { 2: 18 } }), `${where} d_model is 18, expected a multiple of 4`],
  ['layers huge', file({ header: { 3: 2 ** 31 - 1 } }), `${where} n_layers is 2147483647, expected 1 to 1024`],
  ['no layers', file({ header: { 3: 0 } }), `${where} n_layers is 0, expected 1 to 1024`],
  ['heads 3', file({ header: { 4: 3 } }), `${where} n_heads is 3, expected a divisor of 32, twice d_model`],
  ['heads of 2', file({ header: { 4: 16 } }), `bitmamba: bytes: the head dimension is 2, expected a multiple of 4`],
  [
    'another head count',
    file({ header: { 4: 4 } }),
    `${where} tensor blk.0.ssm_in.weight has shape [70, 16], expected [76, 16]`,
  ],
  [
    'a type that is none',
    file({ tensor: { 4: { 0: 7 } } }),
    `${where} tensor blk.0.ssm_conv1d.bias has type 7, expected 0 (floats)`,
  ],
  [
    'a projection of floats',
    file({ tensor: { 2: { 0: 0 } } }),
    `bitmamba: bytes: tensor blk.0.ssm_in.weight has type 0 (floats), expected 2 (ternary); export the model anew`,
  ],
  [
    'a ternary embedding',
    file({ tensor: { 0: { 0: 2 } } }),
    `bitmamba: bytes: tensor token_embd.weight has type 2 (ternary), expected 0 (floats); export the model anew`,
  ],
  [
    'five dimensions',
    file({ tensor: { 3: { 1: 5 } } }),
    `${where} tensor blk.0.ssm_conv1d.weight has 5 dimensions, expected 3`,
  ],
  [
    'a product of 2^32',
    file({ tensor: { 0: { 2: 65536, 3: 65536 } } }),
    `${where} tensor token_embd.weight has shape [65536, 65536], expected [12, 16]`,
  ],
  ...[0, -1, Number.NaN, Number.POSITIVE_INFINITY, 1e-45].map((scale): (typeof cases)[0] => [
    `scale ${scale}`,
    file({ scale }),
    `${where} tensor blk.0.ssm_in.weight has the scale ${Math.fround(scale)}, expected a finite number above 0`,
  ]),
];

test.each(cases)('%s', async (_, bytes, message) => {
  expect((await failureOf(bytesSource(bytes))).message).toContain(message);
  await failureOf(streamSource(new Blob([bytes]).stream()));
});

test('bytes after the last tensor', async () => {
  const error = await failureOf(bytesSource(file({ extraBytes: 3 })));
  expect(error.message).toBe(`${where} has 2531 bytes, expected 2528, where the last tensor ends`);
});

test('cut at every byte', async () => {
  const bytes = file();
  for (let length = 0; length < bytes.length; length++) {
    const { message } = await failureOf(bytesSource(bytes.subarray(0, length)));
    if (length >= 4) expect(message, `${length}`).toMatch(/cut short/);
  }
  const { message } = await failureOf(bytesSource(bytes.subarray(0, -1)));
  expect(message).toBe(
    `${where} the file is cut short: has 2527 bytes, tensor output.weight ends at 2528; download it again`,
  );
});

test('random damage: nothing but a TernlightError comes out', async () => {
  const random = new Random(3);
  const whole = file();
  let refused = 0;
  for (let round = 0; round < 3000; round++) {
    const bytes = whole.slice();
    for (let i = random.int(0, 3); i >= 0; i--) bytes[random.int(0, 900)] = random.int(0, 255);
    const error = await readBitmamba(bytesSource(bytes)).then(
      () => undefined,
      (e: unknown) => e,
    );
    if (!error) continue;
    refused++;
    if (!(error instanceof TernlightError)) throw error;
  }
  expect(refused).toBeGreaterThan(300);
});

const folder = truthFolder('bitmamba');
if (folder) {
  const manifest = truthJson<{ file: string; expect: string; why: string }[]>('truth/bitmamba/malformed/manifest.json');
  test.each(manifest)('malformed/$file: $why', async (entry) => {
    const source = bytesSource(readFileSync(new URL(`malformed/${entry.file}`, folder)), entry.file);
    if (entry.expect === 'reject') return void (await failureOf(source));
    const model = await readBitmamba(source);
    if (entry.file === 'code3.bin') await expect(forward(model, [1, 2])).rejects.toThrow('the data holds a code 3');
    else expect((await forward(model, [1, 2])).every(Number.isFinite)).toBe(true);
  });

  test.each(['bm264', 'bm256', 'bm384'])('%s: the logits of bitmamba.cpp', async (name) => {
    const { cases } = truthJson<{ cases: { kind: string; tokens: number[]; logitsFile: string }[] }>(
      `truth/bitmamba/${name}.expected.json`,
    );
    const { tokens, logitsFile } = cases.find(({ kind }) => kind === 'strict')!;
    const want = truthFloats(`truth/bitmamba/${logitsFile}`);
    const model = await readBitmamba(bytesSource(readFileSync(truthPath(`truth/bitmamba/${name}.bin`)), name));
    const got = await forward(model, tokens);
    expect(got.length).toBe(want.length);
    const squares = (of: (i: number) => number) => want.reduce((sum, _, i) => sum + of(i) ** 2, 0);
    // truth/bitmamba/README.md: no activation of this case lies near a rounding boundary.
    expect(Math.sqrt(squares((i) => got[i]! - want[i]!) / squares((i) => want[i]!))).toBeLessThan(1.5e-5);
  });
}

/** Logits [T, vocab] of a whole sequence, from the tensors as the reader gives them and the references. */
async function forward({ source, metadata, tensors }: ModelFile, ids: readonly number[]): Promise<Float32Array> {
  const dataOf = async (name: string): Promise<[TensorInfo, Uint8Array]> => {
    const info = tensors.find((tensor) => tensor.name === name)!;
    return [info, await source.read(info.offsetBytes, info.lengthBytes)];
  };
  const floats = async (name: string): Promise<Float32Array> => {
    const [info, bytes] = await dataOf(name);
    const out = new Float32Array(bytes.length / 4);
    if (info.encoding.family === 'dense') info.encoding.decode(bytes, out.length, out);
    return out;
  };
  const eps = metadata.float('bitmamba2.attention.layer_norm_rms_epsilon')!;
  /** Norm, int8, ternary matrix: x [T, cols] -> [T, rows]. */
  const bitLinear = async (x: Float32Array[], norm: string, name: string): Promise<Float32Array[]> => {
    const [w, [info, bytes]] = [await floats(norm), await dataOf(name)];
    const [cols, rows] = info.dims as [number, number];
    const codes = new Uint8Array(rows * cols);
    if (info.encoding.family === 'ternary') info.encoding.decode(bytes, rows * cols, codes, new Float32Array(0));
    return x.map((row) => {
      const { q, scale } = quantize(rmsNorm(row, w, eps), cols);
      return Float32Array.from({ length: rows }, (_, r) => {
        let sum = 0;
        for (let c = 0; c < cols; c++) sum += (codes[r * cols + c]! - 1) * q[c]!;
        return (sum * info.scale!) / scale;
      });
    });
  };
  const dim = metadata.integer('bitmamba2.embedding_length')!;
  const innerDim = metadata.integer('bitmamba2.ssm.inner_size')!;
  const heads = metadata.integer('bitmamba2.ssm.head_count')!;
  const embedding = await floats('token_embd.weight');
  let x = ids.map((id) => embedding.slice(id * dim, (id + 1) * dim));
  for (let layer = 0; layer < metadata.integer('bitmamba2.block_count')!; layer++) {
    const blk = `blk.${layer}.ssm_`;
    const rows = await bitLinear(x, `${blk}in_norm.weight`, `${blk}in.weight`);
    const names = ['conv1d.weight', 'conv1d.bias', 'dt.bias', 'a', 'd'];
    const [convW, convB, dtBias, aLog, d] = await Promise.all(names.map((name) => floats(blk + name)));
    const weights = { innerDim, heads, convW: convW!, convB: convB!, dtBias: dtBias!, aLog: aLog!, d: d! };
    const stride = rows[0]!.length;
    const p = rows.flatMap((row) => [...row]);
    const y = Float32Array.from(mambaBlock(weights, p, stride).y);
    const inner = ids.map((_, t) => y.subarray(t * innerDim, (t + 1) * innerDim));
    const added = await bitLinear(inner, `${blk}out_norm.weight`, `${blk}out.weight`);
    x = x.map((row, t) => row.map((v, i) => v + added[t]![i]!));
  }
  const norm = await floats('output_norm.weight');
  const logits = await bitLinear(
    x.map((row) => rmsNorm(row, norm, eps)),
    'output_in_norm.weight',
    'output.weight',
  );
  return Float32Array.from(logits.flatMap((row) => [...row]));
}

async function failureOf(source: ByteSource): Promise<TernlightError> {
  const error = await readBitmamba(source).then(
    () => undefined,
    (e: unknown) => e,
  );
  if (!(error instanceof TernlightError)) throw error ?? new Error('was accepted');
  expect(['invalid-file', 'unsupported']).toContain(error.code);
  return error;
}
