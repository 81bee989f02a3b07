// A made-up byte-level BPE vocabulary of any size: the 256 bytes, a few merges, numbered filler words, control tokens.
// Any text can be encoded with it and any ids decoded.

import type { MetadataItem } from './gguf-write.ts';

const merges = ['h e', 'Ġ t', 'i n', 'e r', 'Ġ a', 'o n', 'Ġt he', 'r e', 'a n', 'Ġ s'];

const normal = 1;
const control = 3;

/** @param controls how many of the last ids are control tokens, at least 2: the first begins a text, the second ends it. */
export function syntheticVocab(vocabSize: number, controls: number): MetadataItem[] {
  const firstControl = vocabSize - controls;
  const tokens = byteTokens();
  for (const merge of merges) tokens.push(merge.replace(' ', ''));
  while (tokens.length < firstControl) tokens.push(`Ġw${tokens.length}`);
  const types = new Int32Array(vocabSize).fill(normal, 0, firstControl).fill(control, firstControl);
  tokens.push('<|begin_of_text|>', '<|end_of_text|>');
  while (tokens.length < vocabSize) tokens.push(`<|reserved_${tokens.length}|>`);
  return [
    ['tokenizer.ggml.model', 'string', 'gpt2'],
    ['tokenizer.ggml.pre', 'string', 'llama-bpe'],
    ['tokenizer.ggml.tokens', 'string[]', tokens],
    ['tokenizer.ggml.token_type', 'i32[]', types],
    ['tokenizer.ggml.merges', 'string[]', merges],
    ['tokenizer.ggml.bos_token_id', 'u32', firstControl],
    ['tokenizer.ggml.eos_token_id', 'u32', firstControl + 1],
    ['tokenizer.ggml.add_bos_token', 'bool', true],
  ];
}

/** The 256 one-character names of GPT-2: a printable byte is itself, the others are the letters from U+0100 on. */
function byteTokens(): string[] {
  const printable = (byte: number) => (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let others = 256;
  return Array.from({ length: 256 }, (_, byte) => String.fromCodePoint(printable(byte) ? byte : others++));
}
