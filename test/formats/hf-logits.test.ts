// The golden checkpoints through the engine: logits of transformers in float32.

import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { load } from '../../src/index.ts';
import { argmax, collect } from '../parity/compare.ts';
import { byteLevelJson } from './hf-tokenizers.ts';
import { memoryFiles } from './safetensors-bytes.ts';

const golden = (name: string) => new Uint8Array(readFileSync(new URL(`../golden/${name}`, import.meta.url)));
const json = (name: string) => JSON.parse(new TextDecoder().decode(golden(name)));
const configOf = (name: string) => json(`safetensors/${name}.config.json`);

const online = configOf('tiny-bitnet-packed');
online.quantization_config.quantization_mode = 'online';

interface Rows {
  argmax: number[];
  first: number[];
  last: number[];
}

test.each([
  ['tiny-bitnet-packed', configOf('tiny-bitnet-packed'), 'bitnet_b158_offline', true],
  ['tiny-bitnet-master', online, 'bitnet_b158_online_f32', true],
  ['tiny-llama-packed', configOf('tiny-llama-packed'), 'llama_bitlinear', false],
])('%s: logits within 1e-3, argmax equal everywhere', async (name, config, key, tokenizer) => {
  const expected = json('models/expected-logits.json');
  const truth = expected[key] as Rows;
  const files = memoryFiles({
    'config.json': config,
    'model.safetensors': golden(`safetensors/${name}.safetensors`),
    'tokenizer.json': tokenizer ? byteLevelJson() : undefined,
  });
  const model = await load(files, { kv: 'f32', head: 'stored', threads: 1 });
  expect(files.open_.size).toBe(0);
  const rows = await collect(model.logits(expected.prompt_ids));
  expect(rows.map(argmax)).toEqual(truth.argmax);
  const distance = (row: Float32Array, other: number[]) => Math.max(...other.map((v, i) => Math.abs(v - row[i]!)));
  expect(distance(rows[0]!, truth.first)).toBeLessThan(1e-3);
  expect(distance(rows.at(-1)!, truth.last)).toBeLessThan(1e-3);
  await model.dispose();
});
