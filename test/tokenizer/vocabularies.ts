// Vocabularies for the tests of the tokenizer: two small ones of our own, the large ones from ../shared, and metadata
// made by hand.

import { readFileSync } from 'node:fs';
import { readGguf } from '../../src/formats/gguf.ts';
import { type MetadataEntry, MetadataMap } from '../../src/formats/metadata.ts';
import { bytesSource } from '../../src/formats/source.ts';
import type { Metadata, StringList } from '../../src/formats/types.ts';
import { truthFolder } from '../truth.ts';

const golden = new URL('../golden/tokenizer/', import.meta.url);
const texts = truthFolder('tokenizers');

export function goldenJson(name: string) {
  return JSON.parse(readFileSync(new URL(name, golden), 'utf8'));
}

/** A file of shared/truth/tokenizers; only where `largeNames` is not empty. */
export function truthText(name: string): string {
  return readFileSync(new URL(name, texts), 'utf8');
}

const large = {
  'llama-3': { file: 'llama-3-128256.vocab.gguf', texts: 'llama-bpe' },
  'llama-spm': { file: 'ggml-vocab-llama-spm.gguf', texts: 'llama-spm' },
  'gpt-2': { file: 'ggml-vocab-gpt-2.gguf', texts: 'gpt-2' },
  falcon: { file: 'ggml-vocab-falcon.gguf', texts: 'falcon' },
  qwen2: { file: 'qwen2-151936.vocab.gguf', texts: 'qwen2' },
} as const;

export type LargeName = keyof typeof large;
export const largeNames = texts ? (Object.keys(large) as LargeName[]) : [];

export async function largeMetadata(name: LargeName): Promise<Metadata> {
  const file = readFileSync(new URL(large[name].file, texts));
  return (await readGguf(bytesSource(file, large[name].file))).metadata;
}

/** The 47 texts of llama.cpp and their ids. */
export function llamaCppTexts(name: LargeName): { text: string; ids: number[] }[] {
  const base = `ggml-vocab-${large[name].texts}.gguf`;
  const lines = truthText(`${base}.out`).split('\n');
  return truthText(`${base}.inp`)
    .split('\n__ggml_vocab_test__\n')
    .map((text, i) => ({ text, ids: (lines[i]!.match(/\d+/g) ?? []).map(Number) }));
}

/** The text everyone measures with; '' without ../shared. */
export function wikiText(): string {
  const folder = truthFolder('text');
  return folder ? readFileSync(new URL('wiki.test.raw', folder), 'utf8') : '';
}

/** Strings as a file would give them. */
export function stringList(strings: readonly string[]): StringList {
  const encoder = new TextEncoder();
  return {
    length: strings.length,
    get: (index) => strings[index]!,
    bytes: (index) => encoder.encode(strings[index]),
  };
}

/** Keys without "tokenizer.ggml." in front, except those with a dot. `undefined` leaves a key out. */
export function metadataOf(values: Record<string, unknown>): Metadata {
  const entries = new Map<string, MetadataEntry>();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    const key = name.includes('.') ? name : `tokenizer.ggml.${name}`;
    if (typeof value === 'string') entries.set(key, { type: 'string', value });
    else if (typeof value === 'boolean') entries.set(key, { type: 'bool', value });
    else if (typeof value === 'number') entries.set(key, { type: 'i32', value });
    else if (name === 'scores') entries.set(key, { type: 'f32[]', value: Float32Array.from(value as number[]) });
    else if (name === 'token_type') entries.set(key, { type: 'i32[]', value: Int32Array.from(value as number[]) });
    else entries.set(key, { type: 'string[]', value: stringList(value as string[]) });
  }
  return new MetadataMap(entries);
}

export function spm512(changes: Record<string, unknown> = {}): Metadata {
  return metadataOf({ ...goldenJson('spm512.vocab.json'), ...changes });
}

export function bpe512(changes: Record<string, unknown> = {}): Metadata {
  const { tokens, merges, token_type, bos, eos, eot } = goldenJson('bpe512.json');
  const ids = { bos_token_id: bos, eos_token_id: eos, eot_token_id: eot };
  return metadataOf({ model: 'gpt2', pre: 'llama-bpe', tokens, merges, token_type, ...ids, ...changes });
}
