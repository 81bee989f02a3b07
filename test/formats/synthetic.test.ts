import { expect, test } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { syntheticModel, syntheticNames } from '../../src/formats/synthetic.ts';
import type { TernaryEncoding } from '../../src/formats/types.ts';
import { expectBytes } from '../truth.ts';

// Sizes of the linear layers and embeddings follow from the published shapes.
const parameters: Record<string, number> = {
  tiny: 1_317_000,
  'bitnet-2b-4t': 2_412_000_000,
  'bitnet-0.7b': 729_000_000,
  'bitnet-3b': 3_324_000_000,
  'llama3-8b-1.58': 8_030_000_000,
  'falcon3-1b-1.58': 1_669_000_000,
  'falcon3-3b-1.58': 3_228_000_000,
  'falcon3-7b-1.58': 7_456_000_000,
  'falcon3-10b-1.58': 10_306_000_000,
};

test.each(syntheticNames)('%s is a valid file of the right size', async (name) => {
  const source = syntheticModel(name);
  const { metadata, tensors } = await readGguf(source);
  const tokens = metadata.strings('tokenizer.ggml.tokens')!;
  const arch = metadata.string('general.architecture')!;
  expect(tokens.length).toBe(metadata.integer(`${arch}.vocab_size`));
  const all = Array.from({ length: tokens.length }, (_, i) => tokens.get(i));
  const known = new Set(all);
  expect(known.size).toBe(tokens.length);
  const merges = metadata.strings('tokenizer.ggml.merges')!;
  for (let i = 0; i < merges.length; i++) {
    const [left, right] = merges.get(i).split(' ');
    for (const token of [left!, right!, left! + right!]) expect(known.has(token), token).toBe(true);
  }
  expect(metadata.integers('tokenizer.ggml.token_type')![metadata.integer('tokenizer.ggml.eos_token_id')!]).toBe(3);
  const elems = tensors.reduce((sum, { dims }) => sum + dims.reduce((a, b) => a * b), 0);
  expect(elems / parameters[name]!).toBeCloseTo(1, 2);
  const last = tensors.at(-1)!;
  expect(await source.read(last.offsetBytes, 64)).toHaveLength(64);
});

test.each(['I2_S', 'TQ2_0', 'TQ1_0'] as const)('the weights in %s are valid, finite and mixed', async (encoding) => {
  const source = syntheticModel('tiny', { encoding });
  const { tensors } = await readGguf(source);
  const rows = new Set<string>();
  for (const tensor of tensors) {
    const bytes = await source.read(tensor.offsetBytes, tensor.lengthBytes);
    const elems = tensor.dims.reduce((a, b) => a * b);
    if (tensor.encoding.family === 'dense') {
      const values = new Float32Array(elems);
      tensor.encoding.decode(bytes, elems, values);
      const top = values.reduce((max, value) => Math.max(max, Math.abs(value)), 0);
      expect(top).toBeLessThan(1.2);
      expect(top).toBeGreaterThan(0.04);
      continue;
    }
    const ternary: TernaryEncoding = tensor.encoding;
    const codes = new Uint8Array(elems);
    const scales = new Float32Array(elems / 256);
    ternary.decode(bytes, elems, codes, scales);
    const scale = ternary.tensorScale?.(bytes.subarray(bytes.length - 32)) ?? scales[0]!;
    expect(scale).toBeCloseTo(1 / Math.sqrt(0.8 * tensor.dims[0]!), 4);
    const share = [0, 1, 2].map((code) => codes.reduce((sum, c) => sum + (c === code ? 1 : 0), 0) / elems);
    for (const part of share) expect(part).toBeGreaterThan(0.15);
    for (let row = 0; row < elems; row += tensor.dims[0]!) rows.add(codes.subarray(row, row + 64).join(''));
  }
  expect(rows.size).toBeGreaterThan(2500); // of 4096: few rows are the same, in any two tensors
});

test('the same bytes however they are read', async () => {
  const source = syntheticModel('tiny');
  const whole = await source.read(0, source.byteLength!);
  expectBytes(await syntheticModel('tiny').read(0, source.byteLength!), whole);
  expect(Buffer.compare(await syntheticModel('tiny', { seed: 2 }).read(0, source.byteLength!), whole)).not.toBe(0);
  for (let at = 0, step = 1; at < whole.length; at += step, step = (step * 7 + 1) % 9973) {
    const length = Math.min(step, whole.length - at);
    expectBytes(await source.read(at, length), whole.subarray(at, at + length));
  }
});

test('what is not there is named', () => {
  expect(() => syntheticModel('gpt-4')).toThrow('synthetic: no model "gpt-4", expected one of tiny, bitnet-2b-4t,');
  expect(() => syntheticModel('constructor')).toThrow('no model "constructor"');
  expect(() => syntheticModel('bitnet-3b', { encoding: 'TQ2_0' })).toThrow(
    'gguf: blk.0.attn_q.weight is [3200, 3200], expected rows of a multiple of 256 for TQ2_0',
  );
});
