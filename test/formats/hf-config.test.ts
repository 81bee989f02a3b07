// config.json and generation_config.json -> GGUF's keys, and what is refused by its name.

import { describe, expect, test } from 'vitest';
import { readRepository, readSafetensors } from '../../src/formats/hf-repository.ts';
import type { ModelFile } from '../../src/formats/types.ts';
import { floats, memoryFiles, memorySource, type RawTensor, safetensors } from './safetensors-bytes.ts';

const config = {
  architectures: ['LlamaForCausalLM'],
  ...{ hidden_size: 8, intermediate_size: 12, num_hidden_layers: 1, num_attention_heads: 2, num_key_value_heads: 1 },
  ...{ vocab_size: 5, max_position_embeddings: 64, rms_norm_eps: 1e-5, tie_word_embeddings: true },
};

/** A checkpoint that fits it, with heads of `headDim`. @param extra norms: name and length */
function weights(headDim: number, extra: [string, number][] = []): Uint8Array {
  const matrix = (rows: number, cols: number) =>
    floats(
      'F32',
      [rows, cols],
      Array.from({ length: rows * cols }, (_, i) => i + 1),
    );
  const norm = (length: number) => floats('F32', [length], Array(length).fill(1));
  const layer = 'model.layers.0.';
  const tensors: Record<string, RawTensor> = {
    'model.embed_tokens.weight': matrix(5, 8),
    'model.norm.weight': norm(8),
    [`${layer}input_layernorm.weight`]: norm(8),
    [`${layer}post_attention_layernorm.weight`]: norm(8),
    [`${layer}self_attn.q_proj.weight`]: matrix(2 * headDim, 8),
    [`${layer}self_attn.k_proj.weight`]: matrix(headDim, 8),
    [`${layer}self_attn.v_proj.weight`]: matrix(headDim, 8),
    [`${layer}self_attn.o_proj.weight`]: matrix(8, 2 * headDim),
    [`${layer}mlp.gate_proj.weight`]: matrix(12, 8),
    [`${layer}mlp.up_proj.weight`]: matrix(12, 8),
    [`${layer}mlp.down_proj.weight`]: matrix(8, 12),
  };
  for (const [name, length] of extra) tensors[layer + name] = norm(length);
  return safetensors(tensors);
}

const subNorms: [string, number][] = [
  ['self_attn.attn_sub_norm.weight', 8],
  ['mlp.ffn_sub_norm.weight', 12],
];
const oldNorms: [string, number][] = [
  ['self_attn.inner_attn_ln.weight', 8],
  ['mlp.ffn_layernorm.weight', 12],
];

function open(changes: object, headDim = 4, extra: [string, number][] = []): Promise<ModelFile> {
  return readSafetensors(memorySource('tiny.safetensors', weights(headDim, extra)), { ...config, ...changes });
}

async function keysOf(changes: object, headDim = 4, extra: [string, number][] = []): Promise<Record<string, unknown>> {
  const { metadata } = await open(changes, headDim, extra);
  return Object.fromEntries(metadata.keys.map((key) => [key, metadata.raw(key)]));
}

test('the keys of a model', async () => {
  expect(
    await keysOf({ _name_or_path: 'tiiuae/Falcon3-1B', rope_theta: 1000042, head_dim: 6, hidden_act: 'silu' }, 6),
  ).toEqual({
    'general.architecture': 'llama',
    'general.name': 'Falcon3-1B',
    'llama.vocab_size': 5,
    'llama.context_length': 64,
    'llama.embedding_length': 8,
    'llama.block_count': 1,
    'llama.feed_forward_length': 12,
    'llama.attention.head_count': 2,
    'llama.attention.head_count_kv': 1,
    'llama.attention.key_length': 6,
    'llama.attention.value_length': 6,
    'llama.attention.layer_norm_rms_epsilon': Math.fround(1e-5),
    'llama.rope.dimension_count': 6,
    'llama.rope.freq_base': 1000042,
  });
});

describe('architectures', () => {
  const bitnet = { architectures: ['BitNetForCausalLM'] };
  const old = { architectures: ['BitnetForCausalLM'] };
  const qwen: [string, number][] = [
    ['self_attn.q_norm.weight', 4],
    ['self_attn.k_norm.weight', 4],
  ];
  test.each<[string, object, [string, number][], string, number]>([
    ['BitNet', { ...bitnet, hidden_act: 'relu2' }, subNorms, 'bitnet-b1.58', 500000],
    ['BitNet that does not say how it gates', bitnet, subNorms, 'bitnet-b1.58', 500000],
    ['BitNet by SiLU', { ...bitnet, hidden_act: 'silu' }, subNorms, 'bitnet', 10000],
    ['1bitLLM', { ...old, hidden_act: 'silu', weight_bits: 1, input_bits: 8 }, oldNorms, 'bitnet', 10000],
    ['1bitLLM that does not say', old, oldNorms, 'bitnet', 10000],
    ['by model_type', { architectures: undefined, model_type: 'bitnet' }, oldNorms, 'bitnet', 10000],
    ['Qwen3', { architectures: ['Qwen3ForCausalLM'] }, qwen, 'qwen3', 10000],
  ])('%s', async (_, changes, norms, architecture, theta) => {
    const file = await open(changes, 4, norms);
    expect(file.metadata.string('general.architecture')).toBe(architecture);
    expect(file.metadata.float(`${architecture}.rope.freq_base`)).toBe(theta);
    const names = file.tensors.map(({ name }) => name);
    const expected = architecture === 'qwen3' ? ['attn_q_norm', 'attn_k_norm'] : ['attn_sub_norm', 'ffn_sub_norm'];
    for (const name of expected) expect(names).toContain(`blk.0.${name}.weight`);
  });

  test.each<[object, string]>([
    [
      { architectures: ['MistralForCausalLM'] },
      'architectures is "MistralForCausalLM", expected one of BitNetForCausalLM, BitnetForCausalLM, LlamaForCausalLM, Qwen3ForCausalLM',
    ],
    [{ architectures: [7] }, 'architectures is 7, expected one of'],
    [{ architectures: [], model_type: 'gemma3' }, 'model_type is "gemma3", expected one of'],
    [{ architectures: undefined }, 'model_type is missing, expected one of'],
    [{ hidden_act: 'gelu' }, 'hidden_act is "gelu", expected "silu"'],
    [{ ...bitnet, hidden_act: 'gelu' }, 'hidden_act is "gelu", expected "relu2" or "silu"'],
    [{ use_sliding_window: true }, 'use_sliding_window is true, expected false'],
    [{ weight_bits: 2 }, 'weight_bits is 2, expected 1'],
    [{ partial_rotary_factor: 0.5 }, 'partial_rotary_factor is 0.5, expected 1'],
  ])('refused: %#', async (changes, message) => {
    const failed = open(changes);
    await expect(failed).rejects.toThrow(`config.json: ${message}`);
    await expect(failed).rejects.toMatchObject({ code: 'unsupported' });
  });
});

test.each<[object, string]>([
  [{ hidden_size: '8' }, 'hidden_size is "8", expected an integer from 1 to 1048576'],
  [{ hidden_size: undefined }, 'hidden_size is missing, expected an integer from 1 to 1048576'],
  [{ hidden_size: 9 }, 'hidden_size is 9, expected a multiple of num_attention_heads 2'],
  [{ num_attention_heads: 0 }, 'num_attention_heads is 0, expected an integer from 1 to 65536'],
  [{ num_key_value_heads: 3 }, 'num_key_value_heads is 3, expected a divisor of num_attention_heads 2'],
  [{ num_hidden_layers: 1e9 }, 'num_hidden_layers is 1000000000, expected an integer from 1 to 1024'],
  [{ intermediate_size: -1 }, 'intermediate_size is -1, expected an integer from 1 to 16777216'],
  [{ vocab_size: 1.5 }, 'vocab_size is 1.5, expected an integer from 1 to 16777216'],
  [{ max_position_embeddings: null }, 'max_position_embeddings is missing, expected an integer from 1 to 16777216'],
  [{ rms_norm_eps: 'small' }, 'rms_norm_eps is "small", expected a number from 0 to 1'],
  [{ rms_norm_eps: undefined }, 'rms_norm_eps is missing, expected a number from 0 to 1'],
  [{ head_dim: 5 }, 'head_dim is 5, expected an even number'],
  [{ rope_theta: 0 }, 'rope_theta is 0, expected a number from 1 to 1000000000000'],
  [{ rope_theta: [1] }, 'rope_theta is [1], expected a number from 1 to 1000000000000'],
  [{ tie_word_embeddings: 1 }, 'tie_word_embeddings is 1, expected true or false'],
  [{ rope_scaling: 'yarn' }, 'rope_scaling is "yarn", expected an object'],
  [{ architectures: 'LlamaForCausalLM' }, 'architectures is "LlamaForCausalLM", expected a list'],
  [{ rope_scaling: { type: 'linear' } }, 'rope_scaling: factor is missing, expected a number'],
  [
    { rope_scaling: { type: 'linear', factor: -2 } },
    'rope_scaling: factor is -2, expected a number from 0.001 to 1000000',
  ],
  [
    { rope_scaling: { rope_type: 'llama3', factor: 8 } },
    'rope_scaling: original_max_position_embeddings is missing, expected an integer',
  ],
  [
    { rope_scaling: { rope_type: 'llama3', factor: 8, low_freq_factor: 4, high_freq_factor: 4 } },
    'rope_scaling: high_freq_factor is 4, expected more than low_freq_factor 4',
  ],
  [{ quantization_config: [] }, 'quantization_config is [], expected an object'],
])('wrong values are named: %#', async (changes, message) => {
  await expect(open(changes)).rejects.toMatchObject({ code: 'invalid-file', message: `config.json: ${message}` });
});

describe('RoPE', () => {
  const rope = async (changes: object) => {
    const keys = await keysOf(changes);
    return Object.fromEntries(
      Object.entries(keys).flatMap(([key, value]) => (key.startsWith('llama.rope.') ? [[key.slice(11), value]] : [])),
    );
  };
  const plain = { dimension_count: 4, freq_base: 10000 };

  test('plain, in all its spellings', async () => {
    expect(await rope({})).toEqual(plain);
    expect(await rope({ rope_scaling: null })).toEqual(plain);
    expect(await rope({ rope_scaling: { rope_type: 'default' } })).toEqual(plain);
    expect(await rope({ rope_theta: 7e5 })).toEqual({ ...plain, freq_base: 7e5 });
    expect(await rope({ rope_parameters: { rope_type: 'default', rope_theta: 7e5 } })).toEqual({
      ...plain,
      freq_base: 7e5,
    });
  });

  test('linear', async () => {
    const expected = { ...plain, 'scaling.type': 'linear', 'scaling.factor': 4 };
    expect(await rope({ rope_scaling: { type: 'linear', factor: 4 } })).toEqual(expected);
    expect(await rope({ rope_parameters: { rope_type: 'linear', factor: 4 } })).toEqual(expected);
  });

  test('yarn', async () => {
    const least = { rope_type: 'yarn', factor: 4 };
    const expected = { ...plain, 'scaling.type': 'yarn', 'scaling.factor': 4, 'scaling.original_context_length': 64 };
    expect(await rope({ rope_scaling: least })).toEqual(expected);
    const more = { ...least, original_max_position_embeddings: 16, beta_fast: 24, beta_slow: 2 };
    expect(await rope({ rope_scaling: more })).toEqual({
      ...expected,
      'scaling.original_context_length': 16,
      'scaling.yarn_beta_fast': 24,
      'scaling.yarn_beta_slow': 2,
    });
    // The whole factor of sin and cos, of which 1 + 0.1 ln(4) = 1.1386 is usual.
    const whole = await rope({ rope_scaling: { ...least, attention_factor: 1.1386294361119891 } });
    expect(whole['scaling.yarn_attn_factor']).toBe(1);
    const share = await rope({ rope_scaling: { ...least, attn_factor: 0.5 } });
    expect(share['scaling.yarn_attn_factor']).toBe(0.5);
  });

  test.each<[object, string]>([
    [{ rope_type: 'longrope', factor: 2 }, 'rope_type is "longrope", expected one of default, linear, yarn, llama3'],
    [{ type: 'dynamic', factor: 2 }, 'type is "dynamic", expected one of default, linear, yarn, llama3'],
    [{ type: 'yarn', factor: 2, mscale: 1 }, 'mscale is 1, expected none'],
    [{ type: 'yarn', factor: 2, truncate: false }, 'truncate is false, expected true'],
  ])('refused: %#', async (scaling, message) => {
    await expect(open({ rope_scaling: scaling })).rejects.toMatchObject({
      code: 'unsupported',
      message: `config.json: rope_scaling: ${message}`,
    });
  });

  test("Llama-3.1's kind becomes divisors", async () => {
    // Of transformers' tests: theta 5e5, factor 8, 1 and 4, 8192; heads of 128.
    const scaling = {
      rope_type: 'llama3',
      factor: 8,
      low_freq_factor: 1,
      high_freq_factor: 4,
      original_max_position_embeddings: 8192,
    };
    const file = await open({ head_dim: 128, rope_theta: 5e5, rope_scaling: scaling }, 128);
    const tensor = file.tensors.at(-1)!;
    expect(tensor).toMatchObject({ name: 'rope_freqs.weight', dims: [64], lengthBytes: 256 });
    const bytes = await file.source.read(tensor.offsetBytes, tensor.lengthBytes);
    const got = new Float32Array(bytes.slice().buffer);
    for (let j = 0; j < 64; j++) {
      const wavelength = 2 * Math.PI * 5e5 ** (j / 64);
      const smooth = (8192 / wavelength - 1) / 3;
      const expected = smooth >= 1 ? 1 : smooth <= 0 ? 8 : 8 / (1 + 7 * smooth);
      expect(got[j]).toBeCloseTo(expected, 5);
    }
    expect([got[0], got[28], got[63]]).toEqual([1, 1, 8]);
    expect(got[30]).toBeGreaterThan(1);
    expect(got[34]).toBeLessThan(8);
    expect(file.metadata.has('llama.rope.scaling.type')).toBe(false);
  });
});

describe('a repository', () => {
  const files = (more: Record<string, unknown> = {}, name?: string) =>
    memoryFiles({ 'config.json': config, 'model.safetensors': weights(4), ...more }, name);

  test('is named after what it says, else after where it is', async () => {
    const name = async (where: string, said?: string) =>
      (await readRepository(files({ 'config.json': { ...config, _name_or_path: said } }, where))).metadata.string(
        'general.name',
      );
    expect(await name('/home/me/tiny/')).toBe('tiny');
    expect(await name('C:\\models\\tiny')).toBe('tiny');
    expect(await name('https://huggingface.co/org/tiny/resolve/main')).toBe('tiny');
    expect(await name('x', 'org/TriLM_99M_Unpacked')).toBe('TriLM_99M_Unpacked');
    expect(await name('x', '')).toBe('x');
  });

  test('tells how to sample', async () => {
    const generation = {
      do_sample: true,
      temperature: 0.6,
      top_k: 20,
      top_p: 0.95,
      min_p: null,
      repetition_penalty: 1.1,
    };
    const sampling = async (more: object) => {
      const { metadata } = await readRepository(files({ 'generation_config.json': { ...generation, ...more } }));
      return Object.fromEntries(
        metadata.keys
          .filter((key) => key.startsWith('general.sampling.'))
          .map((key) => [key.slice(17), metadata.raw(key)]),
      );
    };
    const all = { temp: Math.fround(0.6), top_k: 20, top_p: Math.fround(0.95), penalty_repeat: Math.fround(1.1) };
    expect(await sampling({})).toEqual(all);
    expect(await sampling({ do_sample: undefined, min_p: 0.05 })).toEqual({ ...all, min_p: Math.fround(0.05) });
    expect(await sampling({ top_k: -1 })).toEqual({ ...all, top_k: undefined });
    expect(await sampling({ do_sample: false })).toEqual({});
    await expect(sampling({ temperature: 'warm' })).rejects.toThrow(
      'generation_config.json: temperature is "warm", expected a number',
    );
  });

  test('loads without a tokenizer', async () => {
    const { metadata, tensors } = await readRepository(files());
    expect(metadata.keys.filter((key) => key.startsWith('tokenizer.'))).toEqual([]);
    expect(tensors).toHaveLength(11);
  });

  test.each<[string, ReturnType<typeof files>, string]>([
    [
      'no config',
      memoryFiles({}, 'models/empty'),
      'repository: models/empty has no config.json, expected the files of a model as transformers saves them',
    ],
    ['a list', files({ 'config.json': [1] }), 'config.json: is [1], expected an object'],
    [
      'binary',
      files({ 'config.json': Uint8Array.of(0x7b, 0xff) }),
      'config.json: is not UTF-8 text; download it again',
    ],
    [
      'no weights',
      files({ 'model.safetensors': undefined }),
      'repository: models/tiny has neither model.safetensors nor model.safetensors.index.json; download the weights too',
    ],
    [
      'a pickle',
      files({ 'model.safetensors': undefined, 'pytorch_model.bin': 'x' }),
      "repository: models/tiny has neither model.safetensors nor model.safetensors.index.json; its pytorch_model.bin is not read: save the model again with transformers' save_pretrained",
    ],
    [
      "a web app's start page for what is not there",
      files({ 'config.json': '<!doctype html><html></html>' }),
      'repository: models/tiny has no config.json, expected the files of a model as transformers saves them',
    ],
  ])('%s', async (_, set, message) => {
    await expect(readRepository(set)).rejects.toMatchObject({ code: 'invalid-file', message });
    expect(set.open_.size).toBe(0);
  });

  test('a single file needs no repository', async () => {
    const wrong = readSafetensors(memorySource('tiny.safetensors', weights(4)), 'llama');
    await expect(wrong).rejects.toThrow('config.json: is "llama", expected an object');
    const file = await readSafetensors(memorySource('folder/tiny.safetensors', weights(4)), config);
    expect(file.source.name).toBe('folder/tiny.safetensors');
    expect(file.metadata.string('general.name')).toBe('tiny');
  });
});
