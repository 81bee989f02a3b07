// Weights of Hugging Face checkpoints as the virtual file has them: against the GGUF files of the same models, against
// numbers worked out here, and however the bytes are asked for.

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { readSafetensors } from '../../src/formats/hf-repository.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { ModelFile } from '../../src/formats/types.ts';
import { Random } from '../ref/random.ts';
import { expectBytes } from '../truth.ts';
import { countingSource } from './counting-source.ts';
import {
  bitnetConfig,
  decode,
  expectSame,
  interleaved,
  type Linear,
  layer,
  linears,
  llamaConfig,
  openParts,
  packedParts,
  parts,
  pathOf,
  quantized,
  ramp,
  randomCodes,
} from './hf-tiny.ts';
import { floats, memorySource, packed, type RawTensor, safetensors } from './safetensors-bytes.ts';

const golden = (name: string) => readFileSync(new URL(`../golden/${name}`, import.meta.url));
const goldenConfig = (name: string) => JSON.parse(golden(`safetensors/${name}.config.json`).toString());
const online = () => {
  const config = goldenConfig('tiny-bitnet-packed');
  return { ...config, quantization_config: { ...config.quantization_config, quantization_mode: 'online' } };
};

function open(name: string, config: unknown): Promise<ModelFile> {
  return readSafetensors(bytesSource(golden(`safetensors/${name}.safetensors`), name), config);
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
