// What a checkpoint must hold to be the model of its config.json, in one file or in many.

import { describe, expect, test } from 'vitest';
import { readRepository } from '../../src/formats/hf-repository.ts';
import {
  bitnetConfig,
  decode,
  expectSame,
  layer,
  linears,
  llamaConfig,
  openParts,
  parts,
  pathOf,
  ramp,
  randomCodes,
} from './hf-tiny.ts';
import { floats, memoryFiles, packed, type RawTensor, safetensors } from './safetensors-bytes.ts';

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
      files({ 'model-00001-of-00002.safetensors': '<html></html>' }),
      'safetensors: model-00001-of-00002.safetensors: is not a safetensors file: it looks like a web page or XML, perhaps an error page; check the address',
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
    [
      'no JSON',
      files({ 'model.safetensors.index.json': '{' }),
      'model.safetensors.index.json: is not JSON; it is cut short or damaged: download it again',
    ],
    ...['../x.safetensors', '/etc/passwd', 'a/b', 'a\\b', '..', '', 'C:x', 'https://x.y', '.hidden', 'a\0b', 7].map(
      (shard): [string, ReturnType<typeof files>, string] => [
        `a path: ${JSON.stringify(shard)}`,
        files({}, map(second, shard)),
        `model.safetensors.index.json: weight_map: "${second}" is ${JSON.stringify(shard)}, expected a plain file name`,
      ],
    ),
  ];
  test.each(cases)('%s', async (_, set, message) => {
    await expect(readRepository(set)).rejects.toMatchObject({ code: 'invalid-file', message });
    expect(set.open_.size).toBe(0);
  });
});
