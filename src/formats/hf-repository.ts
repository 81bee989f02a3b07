// A Hugging Face repository as if it were a GGUF file: its keys, its tensor names, its order of rows. What comes after
// needs to know nothing of it.

import { TernlightError } from '../errors.ts';
import { f32 } from './encodings/f32.ts';
import { readJson } from './hf-files.ts';
import { modelEntries, nameOf, samplingEntries } from './hf-hyperparameters.ts';
import { JsonObject } from './hf-json.ts';
import { MetadataBuilder } from './hf-metadata.ts';
import { readModel } from './hf-model.ts';
import { Repacked } from './hf-packed.ts';
import { readQuantization } from './hf-quantization.ts';
import { ropeEntries } from './hf-rope.ts';
import { virtualFile } from './hf-source.ts';
import { planTensors, type VirtualTensor } from './hf-tensors.ts';
import { tokenizerEntries } from './hf-tokenizer.ts';
import { type Checkpoint, oneFile, openCheckpoint } from './safetensors-shards.ts';
import type { ByteSource, FileSet, ModelFile } from './types.ts';

/**
 * Reads settings, tokenizer and the tables of the weights; for float weights of Llama and Qwen3 also as many of them as
 * it takes to see whether they are ternary. Without a tokenizer the file has no tokenizer.ggml keys. Closing the
 * result's source closes the repository's files.
 * Throws TernlightError: 'invalid-file' for what is missing or does not fit together, 'unsupported' for other
 * architectures, quantisations and tokenizers, 'io' from the files.
 */
export async function readRepository(files: FileSet, signal?: AbortSignal): Promise<ModelFile> {
  const config = await readJson(files, 'config.json', signal);
  if (!config) {
    throw new TernlightError(
      'invalid-file',
      `repository: ${files.name} has no config.json, expected the files of a model as transformers saves them`,
    );
  }
  const generation = await readJson(files, 'generation_config.json', signal);
  const checkpoint = await openCheckpoint(files, signal);
  const addRest = async (builder: MetadataBuilder) => {
    samplingEntries(generation, builder);
    await tokenizerEntries(files, config, generation, builder, signal);
  };
  return assemble(files.name, config, checkpoint, addRest, signal);
}

/**
 * One safetensors file that stands alone.
 * @param config what config.json would say, parsed
 */
export async function readSafetensors(source: ByteSource, config: unknown, signal?: AbortSignal): Promise<ModelFile> {
  const settings = JsonObject.of('config.json', config);
  const checkpoint = await oneFile(source, signal);
  return assemble(source.name, settings, checkpoint, async () => {}, signal);
}

async function assemble(
  location: string,
  config: JsonObject,
  checkpoint: Checkpoint,
  addRest: (builder: MetadataBuilder) => Promise<void>,
  signal: AbortSignal | undefined,
): Promise<ModelFile> {
  try {
    const names = checkpoint.tensors.map(({ name }) => name);
    const model = readModel(config, names);
    const builder = new MetadataBuilder();
    modelEntries(nameOf(config, location), model, builder);
    const divisors = ropeEntries(config, model, builder);
    await addRest(builder);
    const subNorms = names.some((name) => name.endsWith('.attn_sub_norm.weight'));
    const quantization = readQuantization(config, model, subNorms);
    const repacked = new Repacked();
    const tensors = await planTensors(checkpoint.tensors, model, quantization, repacked, signal);
    if (divisors) tensors.push(constant('rope_freqs.weight', divisors));
    const file = virtualFile(location, tensors, async () => {
      repacked.clear();
      await checkpoint.close();
    });
    return { ...file, format: 'safetensors', metadata: builder.done() };
  } catch (error) {
    await checkpoint.close();
    throw error;
  }
}

function constant(name: string, values: Float32Array): VirtualTensor {
  const rows = {
    encoding: f32,
    count: 1,
    rowBytes: values.byteLength,
    pieceRows: 1,
    make: async () => new Uint8Array(values.buffer, values.byteOffset, values.byteLength),
  };
  return { name, dims: [values.length], rows };
}
