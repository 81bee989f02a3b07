// Vocabularies that say which family a model is of, and what is known of every model of it. Knows no file format.

import type { Metadata } from '../formats/types.ts';

export interface VocabularyFamily {
  readonly name: string;
  /** Its tokenizer.ggml.pre. */
  readonly pre: string;
  /** Rope bases of the models that use it; the first is told where one must be named. */
  readonly ropeBases: readonly number[];
  /** The token that ends a turn of a conversation. */
  readonly endOfTurn: string;
}

const llama3: VocabularyFamily = {
  name: 'Llama-3',
  pre: 'llama-bpe',
  ropeBases: [500000],
  endOfTurn: '<|eot_id|>',
};
const falcon3: VocabularyFamily = {
  name: 'Falcon3',
  pre: 'falcon3',
  ropeBases: [1000042],
  endOfTurn: '<|endoftext|>',
};
const qwen3: VocabularyFamily = {
  name: 'Qwen3',
  pre: 'qwen2',
  ropeBases: [1e6, 5e6],
  endOfTurn: '<|im_end|>',
};

/** By the number of tokens and a token that no other vocabulary has there; undefined for all others. */
export function vocabularyFamily(metadata: Metadata): VocabularyFamily | undefined {
  const tokens = metadata.strings('tokenizer.ggml.tokens');
  if (!tokens) return undefined;
  const is = (id: number, text: string) => id < tokens.length && tokens.get(id) === text;
  if (tokens.length === 128256 && is(128000, '<|begin_of_text|>')) return llama3;
  if (metadata.string('tokenizer.ggml.pre') === 'falcon3') return falcon3;
  // Qwen2's vocabulary ends before <think>.
  if (is(151644, '<|im_start|>') && is(151667, '<think>')) return qwen3;
  return undefined;
}
