// Weights of Hugging Face checkpoints as the virtual file has them: against the GGUF files of the same models, against
// numbers worked out here, and however the bytes are asked for.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { readRepository, readSafetensors } from '../../src/formats/hf-repository.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { ModelFile } from '../../src/formats/types.ts';
import { Random } from '../ref/random.ts';
import { expectBytes } from '../truth.ts';
import { countingSource } from './counting-source.ts';
import { floats, memoryFiles, memorySource, packed, type RawTensor, safetensors } from './safetensors-bytes.ts';

const golden = (name: string) => readFileSync(new URL(`../golden/${name}`, import.meta.url));
const goldenConfig = (name: string) => JSON.parse(golden(`safetensors/${name}.config.json`).toString());
const online = () => {
  const config = goldenConfig('tiny-bitnet-packed');
  return { ...config, quantization_config: { ...config.quantization_config, quantization_mode: 'online' } };
};

function open(name: string, config: unknown): Promise<ModelFile> {
  return readSafetensors(bytesSource(golden(`safetensors/${name}.safetensors`), name), config);
}

interface Decoded {
  dims: readonly number[];
  codes?: Uint8Array;
  /** Of each row, or of each group of 128. */
  scales: number[];
  /** scale * code, or the numbers. */
  values: Float32Array;
}

async function decode(file: ModelFile): Promise<Map<string, Decoded>> {
  const out = new Map<string, Decoded>();
  for (const { name, dims, encoding, offsetBytes, lengthBytes } of file.tensors) {
    const bytes = await file.source.read(offsetBytes, lengthBytes);
    const elems = dims.reduce((a, b) => a * b);
    const values = new Float32Array(elems);
    if (encoding.family === 'dense') {
      encoding.decode(bytes, elems, values);
      out.set(name, { dims, scales: [], values });
      continue;
    }
    if (encoding.family !== 'ternary') throw new Error(`${name} is ${encoding.family}`);
    const codes = new Uint8Array(elems);
    const group = encoding.scaleElems === 'tensor' ? dims[0]! : encoding.scaleElems;
    const scales = new Float32Array(elems / group);
    encoding.decode(bytes, elems, codes, scales);
    if (encoding.tensorScale) scales.fill(encoding.tensorScale(bytes.subarray(-32)));
    for (let i = 0; i < elems; i++) values[i] = (codes[i]! - 1) * scales[Math.floor(i / group)]!;
    out.set(name, { dims, codes, scales: [...scales], values });
  }
  return out;
}

function expectSame(got: Map<string, Decoded>, expected: Map<string, Decoded>): void {
  expect([...got.keys()].sort()).toEqual([...expected.keys()].sort());
  for (const [name, { dims, codes, scales, values }] of expected) {
    const tensor = got.get(name)!;
    expect(tensor.dims, name).toEqual(dims);
    if (codes) expect(Buffer.compare(tensor.codes!, codes), name).toBe(0);
    expect(tensor.scales, name).toEqual(scales);
    expect(Buffer.compare(new Uint8Array(tensor.values.buffer), new Uint8Array(values.buffer)), name).toBe(0);
  }
}

describe('the golden models equal their GGUF files', () => {
  test.each([
    ['tiny-bitnet-packed', 'tiny-bitnet-b158-i2s', 'multiplied'],
    ['tiny-llama-packed', 'tiny-llama-i2s', 'divided, q and k permuted'],
  ])('%s', async (name, gguf) => {
    const file = await open(name, goldenConfig(name));
    const expected = await readGguf(bytesSource(golden(`models/${gguf}.gguf`)));
    expectSame(await decode(file), await decode(expected));
    expect(file.format).toBe('safetensors');
    const skipped = /^(tokenizer|general)\./;
    for (const key of expected.metadata.keys) {
      if (!skipped.test(key)) expect(file.metadata.raw(key), key).toEqual(expected.metadata.raw(key));
    }
    expect(file.metadata.string('general.architecture')).toBe(expected.metadata.string('general.architecture'));
  });

  test('masters: the codes of the packed ones, a scale that is the mean size', async () => {
    const master = await decode(await open('tiny-bitnet-master', online()));
    const packed = await decode(await open('tiny-bitnet-packed', goldenConfig('tiny-bitnet-packed')));
    for (const [name, { codes, scales, values }] of packed) {
      const tensor = master.get(name)!;
      if (!codes) {
        expect(tensor.values, name).toEqual(values);
        continue;
      }
      expect(Buffer.compare(tensor.codes!, codes), name).toBe(0);
      // The packed file's are the same, rounded to bf16.
      expect(Math.abs(tensor.scales[0]! / scales[0]! - 1), name).toBeLessThan(2 ** -8);
      expect(new Set(tensor.scales).size, name).toBe(1);
    }
    const bytes = golden('safetensors/tiny-bitnet-master.safetensors');
    const start = 8 + bytes.readUInt32LE(0);
    const { data_offsets } = JSON.parse(bytes.toString('utf8', 8, start))['model.layers.1.mlp.down_proj.weight'];
    let sum = 0;
    const view = new DataView(new ArrayBuffer(4));
    for (let at = data_offsets[0]; at < data_offsets[1]; at += 2) {
      view.setUint16(2, bytes.readUInt16LE(start + at), true);
      sum += Math.abs(view.getFloat32(0, true));
    }
    expect(master.get('blk.1.ffn_down.weight')!.scales[0]).toBe(Math.fround(sum / (128 * 384)));
  });
});

test('any range of bytes is what the whole has there', async () => {
  const random = new Random(4);
  for (const [name, config] of [
    ['tiny-bitnet-packed', goldenConfig('tiny-bitnet-packed')],
    ['tiny-bitnet-master', online()],
    ['tiny-llama-packed', goldenConfig('tiny-llama-packed')],
  ]) {
    const file = await open(name, config);
    const size = file.source.byteLength!;
    const whole = await file.source.read(0, size);
    const other = await open(name, config);
    const reads = Array.from({ length: 150 }, () => {
      const at = Math.floor(random.next() * size);
      const length = Math.floor(random.next() ** 4 * (size - at));
      return { at, length };
    });
    // Many at once: a caller need not wait.
    const parts = await Promise.all(reads.map(({ at, length }) => other.source.read(at, length)));
    for (const [i, { at, length }] of reads.entries()) expectBytes(parts[i]!, whole.subarray(at, at + length));
    await expect(file.source.read(size - 4, 5)).rejects.toThrow(`source: ${name} is cut short`);
  }
});

// A model of one layer: hidden 8, two heads of 4, one kv head, ffn 12, vocabulary 5.

const sizes = { q: [8, 8], k: [4, 8], v: [4, 8], o: [8, 8], gate: [12, 8], up: [12, 8], down: [8, 12] } as const;
type Linear = keyof typeof sizes;
const linears = Object.keys(sizes) as Linear[];
const layer = 'model.layers.0.';
const pathOf = (linear: Linear) => `${layer}${'qkvo'.includes(linear) ? 'self_attn' : 'mlp'}.${linear}_proj.weight`;

const llamaConfig = {
  architectures: ['LlamaForCausalLM'],
  ...{ hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1 },
  ...{ vocab_size: 5, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true },
};
const bitnetConfig = {
  ...llamaConfig,
  architectures: ['BitNetForCausalLM'],
  hidden_act: 'relu2',
};

const ramp = (length: number, from = 0.5) => Array.from({ length }, (_, i) => from + i / 16);

/** Float weights 0.5, 0.5625 ...: no two the same. */
function parts(changes: Record<string, RawTensor | undefined> = {}, subNorms = false): Record<string, RawTensor> {
  const tensors: Record<string, RawTensor | undefined> = {
    'model.embed_tokens.weight': floats('F32', [5, 8], ramp(40)),
    [`${layer}input_layernorm.weight`]: floats('BF16', [8], ramp(8)),
    [`${layer}post_attention_layernorm.weight`]: floats('F32', [8], ramp(8)),
    'model.norm.weight': floats('F32', [8], ramp(8)),
  };
  for (const linear of linears)
    tensors[pathOf(linear)] = floats('BF16', [...sizes[linear]], ramp(sizes[linear][0] * sizes[linear][1]));
  if (subNorms) {
    tensors[`${layer}self_attn.attn_sub_norm.weight`] = floats('F32', [8], ramp(8));
    tensors[`${layer}mlp.ffn_sub_norm.weight`] = floats('F32', [12], ramp(12));
  }
  const all = { ...tensors, ...changes };
  return Object.fromEntries(
    Object.entries(all).filter((entry): entry is [string, RawTensor] => entry[1] !== undefined),
  );
}

function openParts(tensors: Record<string, RawTensor>, config: unknown = llamaConfig): Promise<ModelFile> {
  return readSafetensors(memorySource('tiny.safetensors', safetensors(tensors)), config);
}

const random = new Random(17);
const randomCodes = (rows: number, cols: number) =>
  Array.from({ length: rows }, () => Array.from({ length: cols }, () => Math.floor(random.next() * 3) - 1));

/** All linear layers packed, with weight_scale 4. */
function packedParts(changes: Record<string, RawTensor | undefined> = {}, subNorms = false) {
  const codes = Object.fromEntries(linears.map((linear) => [linear, randomCodes(...sizes[linear])]));
  const tensors: Record<string, RawTensor | undefined> = {};
  for (const linear of linears) {
    tensors[pathOf(linear)] = packed(codes[linear]!);
    tensors[`${pathOf(linear)}_scale`] = floats('BF16', [1], [4]);
  }
  return { codes, tensors: parts({ ...tensors, ...changes }, subNorms) };
}

/** Row 0 1 2 3 of a head of four becomes 0 2 1 3. */
const interleaved = (rows: number[][]) => rows.map((_, i) => rows[i - (i % 4) + [0, 2, 1, 3][i % 4]!]!);

const quantized = (settings: object = {}) => ({ quantization_config: { quant_method: 'bitnet', ...settings } });

describe('packed weights', () => {
  const cases: [string, object, number][] = [
    ['bitlinear divides', { ...llamaConfig, ...quantized() }, 0.25],
    ['bitlinear by name', { ...llamaConfig, ...quantized({ linear_class: 'bitlinear' }) }, 0.25],
    ['autobitlinear multiplies', { ...llamaConfig, ...quantized({ linear_class: 'autobitlinear' }) }, 4],
    ['Llama without a word divides', llamaConfig, 0.25],
    ['BitNet without a word multiplies', bitnetConfig, 4],
    ['BitNet that says bitlinear divides', { ...bitnetConfig, ...quantized() }, 0.25],
  ];
  test.each(cases)('%s', async (_, config, scale) => {
    const bitnet = 'hidden_act' in config;
    const { codes, tensors } = packedParts({}, bitnet);
    const decoded = await decode(await openParts(tensors, config));
    const { q, k, gate, down } = codes as Record<Linear, number[][]>;
    const expected = {
      attn_q: bitnet ? q : interleaved(q),
      attn_k: bitnet ? k : interleaved(k),
      ffn_gate: gate,
      ffn_down: down,
    };
    for (const [name, rows] of Object.entries(expected)) {
      const tensor = decoded.get(`blk.0.${name}.weight`)!;
      expect([...tensor.codes!], name).toEqual(rows.flat().map((code) => code + 1));
      expect(tensor.scales, name).toEqual(rows.map(() => scale));
    }
    expect([...decoded.get('blk.0.attn_norm.weight')!.values]).toEqual(ramp(8));
    expect(decoded.has('output.weight')).toBe(false);
  });

  test('rows that are no multiple of four: what is over in the last quarter is padding', async () => {
    const gate = randomCodes(16, 8);
    const tensors = packedParts({
      [pathOf('gate')]: packed(gate),
      [pathOf('up')]: packed(gate),
      [pathOf('down')]: packed(randomCodes(8, 13)),
    }).tensors;
    const decoded = await decode(await openParts(tensors, { ...llamaConfig, intermediate_size: 13 }));
    expect([...decoded.get('blk.0.ffn_gate.weight')!.codes!]).toEqual(
      gate
        .slice(0, 13)
        .flat()
        .map((code) => code + 1),
    );
    expect(decoded.get('blk.0.ffn_down.weight')!.dims).toEqual([13, 8]);
  });

  test('a scale of any float type, in brackets or not', async () => {
    const path = `${pathOf('v')}_scale`;
    const half = { dtype: 'F16', shape: [], data: Uint8Array.of(0, 0x40) }; // 2
    for (const [raw, expected] of [
      [floats('F32', [1], [5]), 5],
      [floats('F32', [], [1e-3]), Math.fround(1e-3)],
      [half, 2],
    ] as const) {
      const { tensors } = packedParts({ [path]: raw });
      const decoded = await decode(
        await openParts(tensors, { ...llamaConfig, ...quantized({ linear_class: 'autobitlinear' }) }),
      );
      expect(decoded.get('blk.0.attn_v.weight')!.scales[0]).toBe(expected);
    }
  });

  test.each([
    [floats('F32', [1], [0]), 'is 0, expected a finite number above 0; the file is damaged'],
    [floats('F32', [1], [-2]), 'is -2, expected a finite number above 0; the file is damaged'],
    [floats('F32', [1], [Number.NaN]), 'is NaN, expected a finite number above 0; the file is damaged'],
    [
      floats('BF16', [1], [Number.POSITIVE_INFINITY]),
      'is Infinity, expected a finite number above 0; the file is damaged',
    ],
    [floats('F32', [1], [1e-42]), `is ${Math.fround(1e-42)}, expected a finite number above 0; the file is damaged`],
    [floats('F32', [2], [1, 1]), 'has shape [2], expected [1]'],
    [floats('F32', [1, 1], [1]), 'has shape [1,1], expected [1]'],
    [{ dtype: 'I8', shape: [1], data: Uint8Array.of(1) }, 'is of dtype I8, expected F32, F16 or BF16'],
    [undefined, 'is missing, expected with the packed "model.layers.0.self_attn.k_proj.weight"'],
  ])('a scale that can not be used is named: %#', async (raw, message) => {
    const { tensors } = packedParts({ [`${pathOf('k')}_scale`]: raw });
    await expect(openParts(tensors)).rejects.toThrow(
      `repository: tensor "model.layers.0.self_attn.k_proj.weight_scale" ${message}`,
    );
  });

  test('a code 3', async () => {
    const data = packed(randomCodes(8, 12)).data;
    data[7]! |= 0x30;
    const { tensors } = packedParts({ [pathOf('down')]: { dtype: 'U8', shape: [2, 12], data } });
    const file = await openParts(tensors);
    await expect(file.source.read(0, file.source.byteLength!)).rejects.toMatchObject({
      code: 'invalid-file',
      message:
        'repository: tensor "model.layers.0.mlp.down_proj.weight" holds a code 3, expected 0, 1 or 2; the file is damaged or is not packed ternary',
    });
  });

  test('settings that are not known are named', async () => {
    const { tensors } = packedParts();
    const cases: [object, string][] = [
      [{ linear_class: 'newlinear' }, 'linear_class is "newlinear", expected "bitlinear" or "autobitlinear"'],
      [{ quantization_mode: 'later' }, 'quantization_mode is "later", expected "offline" or "online"'],
      [{ quant_method: 'gptq' }, 'quant_method is "gptq", expected "bitnet"'],
      [{ quant_method: undefined }, 'quant_method is missing, expected "bitnet"'],
      [
        { use_rms_norm: true },
        'use_rms_norm is true, expected false; a norm of its own before each linear layer is not done',
      ],
    ];
    for (const [settings, message] of cases) {
      await expect(openParts(tensors, { ...llamaConfig, ...quantized(settings) })).rejects.toMatchObject({
        code: 'unsupported',
        message: `config.json: quantization_config: ${message}`,
      });
    }
    const wrong = { ...llamaConfig, ...quantized({ linear_class: 'autobitlinear', quantization_mode: 'online' }) };
    await expect(openParts(tensors, wrong)).rejects.toThrow(
      'config.json: quantization_config: quantization_mode is "online", but tensor "model.layers.0.self_attn.q_proj.weight" is packed; expected "offline"',
    );
    const silent = packedParts({}, true).tensors;
    await expect(openParts(silent, { ...bitnetConfig, hidden_act: 'silu' })).rejects.toThrow(
      'config.json: quantization_config is missing, but tensor "model.layers.0.self_attn.q_proj.weight" is packed; it must say whether weight_scale multiplies or divides',
    );
    await expect(
      openParts(tensors, { ...llamaConfig, ...quantized({ modules_to_not_convert: 'lm_head' }) }),
    ).rejects.toThrow('config.json: quantization_config: modules_to_not_convert is "lm_head", expected a list');
  });

  test('a tensor is read once, the one before it is let go', async () => {
    const { tensors } = packedParts();
    const counting = countingSource(memorySource('tiny.safetensors', safetensors(tensors)));
    const file = await readSafetensors(counting, llamaConfig);
    const before = counting.reads.length;
    const { offsetBytes, lengthBytes } = file.tensors.find(({ name }) => name === 'blk.0.attn_q.weight')!;
    for (let i = 0; i < lengthBytes; i++) await file.source.read(offsetBytes + i, 1);
    expect(counting.reads.length).toBe(before + 1);
  });
});

describe('masters', () => {
  // Mean 1/2: what is up to half of that is 0, ties included, and what is far above is cut to 1.
  const row = [0.5, -0.5, 0.25, -0.25, 0.26, -0.26, 0, 1.98];
  const rows = Array.from({ length: 8 }, () => row).flat();
  const expected = [2, 0, 1, 1, 2, 0, 1, 2];
  const weight = floats('F32', [8, 8], rows);

  test('of a BitNet class, without a word', async () => {
    const decoded = await decode(await openParts(parts({ [pathOf('q')]: weight }, true), bitnetConfig));
    expect([...decoded.get('blk.0.attn_q.weight')!.codes!]).toEqual(Array.from({ length: 8 }, () => expected).flat());
    expect(decoded.get('blk.0.attn_q.weight')!.scales).toEqual(Array(8).fill(0.5));
    expect(decoded.get('token_embd.weight')!.codes).toBeUndefined();
  });

  test('of Llama, where the file says so; q is permuted too, what is not to be converted stays', async () => {
    const q = Array.from({ length: 8 }, (_, r) => Array(8).fill(r % 3 === 0 ? 1 : -1)).flat();
    const settings = {
      linear_class: 'autobitlinear',
      quantization_mode: 'online',
      modules_to_not_convert: ['lm_head', 'mlp.up_proj', 'model.layers.0.self_attn.v'],
    };
    const tensors = parts({ [pathOf('q')]: floats('F32', [8, 8], q), [pathOf('o')]: weight });
    const decoded = await decode(await openParts(tensors, { ...llamaConfig, ...quantized(settings) }));
    const signs = [0, 2, 1, 3, 4, 6, 5, 7].map((r) => (r % 3 === 0 ? 2 : 0));
    expect([...decoded.get('blk.0.attn_q.weight')!.codes!]).toEqual(signs.flatMap((code) => Array(8).fill(code)));
    expect([...decoded.get('blk.0.attn_output.weight')!.codes!.subarray(0, 8)]).toEqual(expected);
    expect([...decoded.get('blk.0.ffn_up.weight')!.values]).toEqual(ramp(96));
    expect(decoded.get('blk.0.attn_v.weight')!.codes).toBeDefined(); // "v" is another module than v_proj
  });

  test('floats under bitlinear are ternary if they are, else masters', async () => {
    const ternary = Array.from({ length: 64 }, (_, i) => [3, -3, 0][i % 3]!);
    const tensors = parts({ [pathOf('q')]: weight, [pathOf('o')]: floats('BF16', [8, 8], ternary) });
    const decoded = await decode(await openParts(tensors, { ...llamaConfig, ...quantized() }));
    expect([...decoded.get('blk.0.attn_q.weight')!.codes!.subarray(0, 8)]).toEqual(expected);
    expect([...decoded.get('blk.0.attn_output.weight')!.values]).toEqual(ternary);
  });

  test('a matrix of zeros has the least scale, not none', async () => {
    const zeros = floats('F32', [8, 8], Array(64).fill(0));
    const decoded = await decode(await openParts(parts({ [pathOf('o')]: zeros }, true), bitnetConfig));
    expect(decoded.get('blk.0.attn_output.weight')!.scales[0]).toBe(Math.fround(1e-5));
    expect(new Set(decoded.get('blk.0.attn_output.weight')!.codes)).toEqual(new Set([1]));
  });

  test('a weight that is no number', async () => {
    const broken = floats('BF16', [8, 8], [...rows.slice(0, 63), Number.NaN]);
    const file = await openParts(parts({ [pathOf('o')]: broken }, true), bitnetConfig);
    await expect(decode(file)).rejects.toMatchObject({
      code: 'invalid-file',
      message:
        'repository: tensor "model.layers.0.self_attn.o_proj.weight" holds a weight that is infinite or not a number; the file is damaged',
    });
  });
});

describe('floats without a quantisation', () => {
  test('are ternary if every row has one size and zeros, each row its own', async () => {
    const rowsOf = (sizes: number[]) => sizes.flatMap((size) => [size, 0 - size, 0, 0, 0 - size, size, size, 0]);
    const sizes8 = [1, 2, 3, 0, 5, 6, 7, 8];
    const q = rowsOf(sizes8);
    const nearly = [...q.slice(0, 60), 8.5, 0, 0, 0];
    const tensors = parts({
      [pathOf('q')]: floats('BF16', [8, 8], q),
      [pathOf('o')]: floats('BF16', [8, 8], nearly),
      'model.embed_tokens.weight': floats('F32', [5, 8], rowsOf([1, 2, 3, 4, 5])),
    });
    const decoded = await decode(await openParts(tensors));
    expect(decoded.get('blk.0.attn_q.weight')!.scales).toEqual([1, 3, 2, 0, 5, 7, 6, 8]);
    expect([...decoded.get('blk.0.attn_q.weight')!.values]).toEqual(rowsOf([1, 3, 2, 0, 5, 7, 6, 8]));
    // One weight of the last row is another one.
    expect(decoded.get('blk.0.attn_output.weight')!.codes).toBeUndefined();
    expect([...decoded.get('blk.0.attn_output.weight')!.values]).toEqual(nearly);
    expect(decoded.get('token_embd.weight')!.codes).toBeUndefined();
  });

  test('dense ones keep their type; q and k are permuted', async () => {
    const file = await openParts(parts());
    expect(Object.fromEntries(file.tensors.map(({ name, encoding }) => [name, encoding.name]))).toMatchObject({
      'token_embd.weight': 'F32',
      'blk.0.attn_q.weight': 'BF16',
      'blk.0.attn_norm.weight': 'F32', // as GGUF has norms, though the checkpoint's is BF16
    });
    const decoded = await decode(file);
    const k = decoded.get('blk.0.attn_k.weight')!;
    expect([0, 8, 16, 24].map((i) => k.values[i])).toEqual([0, 16, 8, 24].map((i) => 0.5 + i / 16));
    expect([...decoded.get('blk.0.attn_v.weight')!.values]).toEqual(ramp(32));
  });

  test('Bonsai: groups of 128 along a row, in embedding and head too', async () => {
    const cols = 256;
    const groups = (rows: number) =>
      Array.from({ length: rows * 2 }, (_, g) =>
        Array.from({ length: 128 }, (_, i) => (g % 7 === 6 ? 0 : (g + 1) / 8) * ((i * 5) % 3 ? 1 : -1)),
      ).flat();
    const config = {
      ...llamaConfig,
      ...{
        architectures: ['Qwen3ForCausalLM'],
        hidden_size: cols,
        head_dim: 4,
        intermediate_size: 256,
        tie_word_embeddings: false,
      },
    };
    const wide: Record<Linear, [number, number]> = {
      q: [8, 256],
      k: [4, 256],
      v: [4, 256],
      o: [256, 8],
      gate: [256, 256],
      up: [256, 256],
      down: [256, 256],
    };
    const tensors: Record<string, RawTensor> = {
      'lm_head.weight': floats('BF16', [5, cols], groups(5)),
      'model.embed_tokens.weight': floats('BF16', [5, cols], groups(5)),
      'model.norm.weight': floats('F32', [cols], ramp(cols)),
      [`${layer}input_layernorm.weight`]: floats('F32', [cols], ramp(cols)),
      [`${layer}post_attention_layernorm.weight`]: floats('F32', [cols], ramp(cols)),
      [`${layer}self_attn.q_norm.weight`]: floats('F32', [4], ramp(4)),
      [`${layer}self_attn.k_norm.weight`]: floats('F32', [4], ramp(4)),
    };
    for (const linear of linears) {
      const [rows, inner] = wide[linear];
      tensors[pathOf(linear)] = floats('BF16', [rows, inner], inner === 256 ? groups(rows) : ramp(rows * inner));
    }
    const file = await openParts(tensors, config);
    const decoded = await decode(file);
    const q = decoded.get('blk.0.attn_q.weight')!;
    expect(q.scales).toEqual(Array.from({ length: 16 }, (_, g) => (g % 7 === 6 ? 0 : (g + 1) / 8)));
    expect([...q.values].map((v) => v + 0)).toEqual(groups(8).map((v) => v + 0)); // not permuted; -0 is 0
    expect(decoded.get('token_embd.weight')!.scales).toHaveLength(10);
    expect(decoded.get('output.weight')!.scales).toHaveLength(10);
    expect(decoded.get('blk.0.attn_output.weight')!.codes).toBeUndefined();
    expect([...decoded.get('blk.0.attn_q_norm.weight')!.values]).toEqual(ramp(4));
    const last = file.tensors.find(({ name }) => name === 'blk.0.ffn_down.weight')!;
    expect(last.lengthBytes).toBe(256 * (64 + 8));
  });

  test('a dense matrix is left after its first row', async () => {
    const tensors = parts({ [pathOf('down')]: floats('F32', [8, 12], ramp(96)) });
    const counting = countingSource(memorySource('tiny.safetensors', safetensors(tensors)));
    await readSafetensors(counting, llamaConfig);
    const { offsetBytes: _, ...biggest } = counting.reads.slice(2).sort((a, b) => b.lengthBytes - a.lengthBytes)[0]!;
    expect(biggest.lengthBytes).toBe(48); // a row of F32
  });
});

describe('what does not fit the model', () => {
  const q = pathOf('q');
  const cases: [string, Record<string, RawTensor | undefined>, object, string, string][] = [
    [
      'missing',
      { [q]: undefined },
      {},
      'invalid-file',
      'repository: tensor "model.layers.0.self_attn.q_proj.weight" is missing, expected in a model of 1 layers',
    ],
    [
      'missing, many',
      Object.fromEntries(linears.map((linear) => [pathOf(linear), undefined])),
      {},
      'invalid-file',
      'repository: tensors "model.layers.0.self_attn.q_proj.weight", "model.layers.0.self_attn.k_proj.weight", "model.layers.0.self_attn.v_proj.weight" and 4 more are missing, expected in a model of 1 layers',
    ],
    [
      'no head',
      {},
      { tie_word_embeddings: false },
      'invalid-file',
      'repository: tensor "lm_head.weight" is missing, expected in a model of 1 layers',
    ],
    [
      'a bias',
      { [`${layer}self_attn.q_proj.bias`]: floats('F32', [8], ramp(8)) },
      {},
      'unsupported',
      'repository: tensor "model.layers.0.self_attn.q_proj.bias" is no part of a llama model of 1 layers; the checkpoint is of another kind',
    ],
    [
      'a layer too many',
      { 'model.layers.1.input_layernorm.weight': floats('F32', [8], ramp(8)) },
      {},
      'unsupported',
      'repository: tensor "model.layers.1.input_layernorm.weight" is no part of a llama model of 1 layers; the checkpoint is of another kind',
    ],
    [
      'a scale of floats',
      { [`${q}_scale`]: floats('F32', [1], [1]) },
      {},
      'unsupported',
      'repository: tensor "model.layers.0.self_attn.q_proj.weight_scale" goes with no packed weight of dtype U8',
    ],
    [
      'another shape',
      { [q]: floats('F32', [8, 4], ramp(32)) },
      {},
      'invalid-file',
      'repository: tensor "model.layers.0.self_attn.q_proj.weight" has F32 [8,4], expected [8,8] by config.json',
    ],
    [
      'another shape, packed',
      { [q]: packed(randomCodes(16, 8)), [`${q}_scale`]: floats('F32', [1], [1]) },
      {},
      'invalid-file',
      'repository: tensor "model.layers.0.self_attn.q_proj.weight" has U8 [4,8], expected [2,8] by config.json',
    ],
    [
      'integers',
      { 'model.embed_tokens.weight': { dtype: 'I8', shape: [5, 8], data: new Uint8Array(40) } },
      {},
      'unsupported',
      'repository: tensor "model.embed_tokens.weight" is of dtype I8, expected F32, F16 or BF16',
    ],
    [
      'both names of a norm',
      {
        [`${layer}self_attn.attn_sub_norm.weight`]: floats('F32', [8], ramp(8)),
        [`${layer}self_attn.inner_attn_ln.weight`]: floats('F32', [8], ramp(8)),
      },
      bitnetConfig,
      'invalid-file',
      'repository: tensors "model.layers.0.self_attn.attn_sub_norm.weight" and "model.layers.0.self_attn.inner_attn_ln.weight" are the same layer',
    ],
  ];
  test.each(cases)('%s', async (_, changes, config, code, message) => {
    await expect(openParts(parts(changes), { ...llamaConfig, ...config })).rejects.toMatchObject({ code, message });
  });

  test('a tied head that was saved is left out, an untied one is not, buffers never come in', async () => {
    const head = {
      'lm_head.weight': floats('F32', [5, 8], ramp(40)),
      [`${layer}self_attn.rotary_emb.inv_freq`]: floats('F32', [2], [1, 2]),
    };
    const names = async (config: object) =>
      (await openParts(parts(head), { ...llamaConfig, ...config })).tensors.map(({ name }) => name);
    expect(await names({})).not.toContain('output.weight');
    expect(await names({ tie_word_embeddings: false })).toContain('output.weight');
    expect(await names({ tie_word_embeddings: null })).toContain('output.weight');
    expect((await names({})).filter((name) => name.includes('rope'))).toEqual([]);
  });
});

describe('shards', () => {
  const all = parts();
  const names = Object.keys(all);
  const shardOf = (name: string) => `model-0000${names.indexOf(name) % 2}-of-00002.safetensors`;
  const files = (changes: Record<string, unknown> = {}, weightMap?: object) => {
    const of = (shard: string) =>
      safetensors(
        Object.fromEntries(names.filter((name) => shardOf(name) === shard).map((name) => [name, all[name]!])),
      );
    const shards = ['model-00000-of-00002.safetensors', 'model-00001-of-00002.safetensors'];
    return memoryFiles({
      'config.json': llamaConfig,
      'model.safetensors.index.json': {
        metadata: {},
        weight_map: weightMap ?? Object.fromEntries(names.map((name) => [name, shardOf(name)])),
      },
      ...Object.fromEntries(shards.map((shard) => [shard, of(shard)])),
      ...changes,
    });
  };
  const map = (name: string, shard: unknown) => ({
    ...Object.fromEntries(names.map((n) => [n, shardOf(n)])),
    [name]: shard,
  });

  test('are one model, and are closed with it', async () => {
    const set = files();
    const file = await readRepository(set);
    expectSame(await decode(file), await decode(await openParts(all)));
    expect([...set.open_].sort()).toEqual(['model-00000-of-00002.safetensors', 'model-00001-of-00002.safetensors']);
    await file.source.close();
    expect(set.open_.size).toBe(0);
  });

  test('one file is preferred to an index', async () => {
    const set = files({ 'model.safetensors': safetensors(all) });
    await readRepository(set);
    expect(set.asked).not.toContain('model.safetensors.index.json');
  });

  const first = names[0]!;
  const second = names[1]!;
  const cases: [string, ReturnType<typeof files>, string][] = [
    [
      'a shard is missing',
      files({ 'model-00001-of-00002.safetensors': undefined }),
      'repository: model.safetensors.index.json names model-00001-of-00002.safetensors, which is missing; it should hold "model.layers.0.input_layernorm.weight", "model.norm.weight", "model.layers.0.self_attn.k_proj.weight" and 2 more: download it',
    ],
    [
      'a shard lacks a tensor',
      files({}, { ...map('x', 'model-00000-of-00002.safetensors') }),
      'repository: model-00000-of-00002.safetensors lacks "x", which model.safetensors.index.json says it holds; download both again',
    ],
    [
      'a tensor is in another shard than the index says',
      files({}, map(first, 'model-00001-of-00002.safetensors')),
      `repository: tensor "${first}" is in model-00000-of-00002.safetensors, but model.safetensors.index.json does not say so; download both again`,
    ],
    [
      'a tensor is in two shards',
      files({ 'model-00001-of-00002.safetensors': safetensors({ [first]: all[first]! }) }),
      `repository: tensor "${first}" is in both model-00000-of-00002.safetensors and model-00001-of-00002.safetensors`,
    ],
    [
      'a shard is damaged',
      files({ 'model-00001-of-00002.safetensors': '<html>' }),
      'safetensors: model-00001-of-00002.safetensors: is not a safetensors file: it looks like an empty file',
    ],
    [
      'no list',
      files({ 'model.safetensors.index.json': {} }),
      'model.safetensors.index.json: weight_map is missing, expected an object',
    ],
    [
      'an empty list',
      files({}, {}),
      'model.safetensors.index.json: weight_map is an object, expected a file for each tensor',
    ],
    ['no JSON', files({ 'model.safetensors.index.json': '{' }), 'model.safetensors.index.json: is not JSON: '],
    ...['../x.safetensors', '/etc/passwd', 'a/b', 'a\\b', '..', '', 'C:x', 'https://x.y', '.hidden', 'a\0b', 7].map(
      (shard): [string, ReturnType<typeof files>, string] => [
        `a path: ${JSON.stringify(shard)}`,
        files({}, map(second, shard)),
        `model.safetensors.index.json: weight_map: "${second}" is ${JSON.stringify(shard)}, expected a plain file name`,
      ],
    ),
  ];
  test.each(cases)('%s', async (name, set, message) => {
    const failed = await readRepository(set).then(
      () => undefined,
      (error: Error) => error,
    );
    if (name === 'no JSON') expect(failed?.message).toContain(message);
    else if (name === 'a shard is damaged')
      expect(failed?.message).toContain('safetensors: model-00001-of-00002.safetensors: is not a safetensors file');
    else expect(failed?.message).toBe(message);
    expect(failed).toMatchObject({ code: 'invalid-file' });
    expect(set.open_.size).toBe(0);
  });
});

test('an aborted read throws the reason, and the next one is as if nothing had been', async () => {
  const file = await open('tiny-bitnet-master', online());
  const whole = await file.source.read(0, file.source.byteLength!);
  const stop = new AbortController();
  const reading = file.source.read(0, file.source.byteLength!, stop.signal);
  stop.abort(new Error('enough'));
  await expect(reading).rejects.toThrow('enough');
  await expect(file.source.read(0, 8, stop.signal)).rejects.toThrow('enough');
  expectBytes(await file.source.read(0, file.source.byteLength!), whole);
});
