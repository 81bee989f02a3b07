// Hugging Face repositories: logits of transformers in float32 for both directions of weight_scale and for masters.
import { readFileSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { convertModel } from '../../src/convert/convert.ts';
import { load } from '../../src/index.ts';
import { openModel } from '../../src/open.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import { argmax, collect } from './compare.ts';

const golden = (name: string) => fileURLToPath(new URL(`../golden/${name}`, import.meta.url));
const json = (name: string) => JSON.parse(readFileSync(golden(name), 'utf8'));

interface Rows {
  argmax: number[];
  first: number[];
  last: number[];
}

/** A folder with what a repository has. */
async function repository(files: Record<string, string | Uint8Array>): Promise<string> {
  const folder = await mkdtemp(join(tmpdir(), 'ternlight-'));
  for (const [name, data] of Object.entries(files)) await writeFile(join(folder, name), data);
  return folder;
}

describe('safetensors', () => {
  const bitnet = json('safetensors/tiny-bitnet-packed.config.json');
  const online = { ...bitnet, quantization_config: { ...bitnet.quantization_config, quantization_mode: 'online' } };
  const cases = [
    ['tiny-bitnet-packed', bitnet, 'bitnet_b158_offline'],
    ['tiny-bitnet-master', online, 'bitnet_b158_online_f32'],
    ['tiny-llama-packed', json('safetensors/tiny-llama-packed.config.json'), 'llama_bitlinear'],
  ] as const;
  for (const [file, config, key] of cases)
    it(`${file}: logits within 1e-3, argmax equal everywhere`, async () => {
      const expected = json('models/expected-logits.json');
      const truth: Rows = expected[key];
      const folder = await repository({
        'config.json': JSON.stringify(config),
        'model.safetensors': readFileSync(golden(`safetensors/${file}.safetensors`)),
      });
      try {
        for (const source of [folder, `${folder}/`, join(folder, 'model.safetensors'), join(folder, 'config.json')]) {
          const model = await load(source, { kv: 'f32', head: 'stored', threads: 1 });
          const rows = await collect(model.logits(expected.prompt_ids));
          expect(model.info.format).toBe('safetensors');
          expect(rows.map(argmax)).toEqual(truth.argmax);
          const distance = (row: Float32Array, other: number[]) =>
            Math.max(...other.map((v, i) => Math.abs(v - row[i]!)));
          expect(distance(rows[0]!, truth.first)).toBeLessThan(1e-3);
          expect(distance(rows.at(-1)!, truth.last)).toBeLessThan(1e-3);
          await model.dispose();
        }
      } finally {
        await rm(folder, { recursive: true });
      }
    });

  for (const [file, config] of cases)
    it(`${file}: converted to a GGUF it gives the same logits`, async () => {
      const ids: number[] = json('models/expected-logits.json').prompt_ids;
      const folder = await repository({
        'config.json': JSON.stringify(config),
        'model.safetensors': readFileSync(golden(`safetensors/${file}.safetensors`)),
      });
      try {
        const opened = await openModel(folder, nodePlatform());
        const pieces: Uint8Array[] = [];
        for await (const piece of convertModel(opened.file, { ternary: 'I2_S' }).pieces) pieces.push(piece.slice());
        await opened.close();
        const [before, after] = await Promise.all(
          [folder, Buffer.concat(pieces)].map(async (source) => {
            const model = await load(source, { kv: 'f32', head: 'stored', threads: 1 });
            const rows = await collect(model.logits(ids));
            await model.dispose();
            return rows;
          }),
        );
        expect(after).toEqual(before);
      } finally {
        await rm(folder, { recursive: true });
      }
    });

  it('a file without its repository is an error that says so', async () => {
    await expect(load(readFileSync(golden('safetensors/tiny-llama-packed.safetensors')))).rejects.toThrow(
      'source: bytes is a safetensors file without its repository; give the folder or address that has config.json too',
    );
  });
});
