// Sizes of a model and the sampling its makers recommend, under GGUF's keys.

import type { JsonObject } from './hf-json.ts';
import type { MetadataBuilder } from './hf-metadata.ts';
import type { HfModel } from './hf-model.ts';

export function modelEntries(name: string, model: HfModel, builder: MetadataBuilder): void {
  const key = (suffix: string) => `${model.architecture}.${suffix}`;
  builder
    .string('general.architecture', model.architecture)
    .string('general.name', name)
    .integer(key('vocab_size'), model.vocabSize)
    .integer(key('context_length'), model.contextLength)
    .integer(key('embedding_length'), model.dim)
    .integer(key('block_count'), model.nLayers)
    .integer(key('feed_forward_length'), model.hiddenDim)
    .integer(key('attention.head_count'), model.nHeads)
    .integer(key('attention.head_count_kv'), model.nKvHeads)
    .integer(key('attention.key_length'), model.headDim)
    .integer(key('attention.value_length'), model.headDim)
    .float(key('attention.layer_norm_rms_epsilon'), model.rmsEps);
}

/** Nothing where the makers recommend greedy answers: temperature and the like are not meant then. */
export function samplingEntries(generation: JsonObject | undefined, builder: MetadataBuilder): void {
  if (!generation || generation.boolean('do_sample') === false) return;
  // Whether a value can be used is for those to say who use it.
  const number = (name: string) => generation.number(name, -1e9, 1e9);
  const topK = generation.integer('top_k', -1e9, 1e9);
  const key = (name: string) => `general.sampling.${name}`;
  builder
    .float(key('temp'), number('temperature'))
    .integer(key('top_k'), topK !== undefined && topK >= 0 ? topK : undefined)
    .float(key('top_p'), number('top_p'))
    .float(key('min_p'), number('min_p'))
    .float(key('penalty_repeat'), number('repetition_penalty'));
}

/** The last part of the name in config.json, else of where the files are. */
export function nameOf(config: JsonObject, location: string): string {
  const said = config.string('_name_or_path')?.replace(/[/\\]+$/, '');
  const parts = (said || location).split(/[/\\]/).filter((part) => part !== '');
  const address = /^(resolve|tree|blob)$/.test(parts.at(-2) ?? '') ? parts.slice(0, -2) : parts;
  return address.at(-1)?.replace(/\.safetensors$/, '') ?? location;
}
