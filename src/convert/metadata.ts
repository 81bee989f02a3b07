// The metadata of the new file: the old one's, less what describes the old file, plus what its readers need and the old
// file leaves out or has wrong. Knows which reader an encoding is for.

import { TernlightError } from '../errors.ts';
import type { MetadataItem } from '../formats/gguf-write.ts';
import type { Metadata, MetadataValue, StringList } from '../formats/types.ts';
import { vocabularyFamily } from '../hub/vocabularies.ts';
import { bitnetChatTemplate, isBitnetB158, isWrongBitnetTemplate } from './bitnet.ts';
import type { TernaryTarget } from './options.ts';

/** llama.cpp's numbers, and bitnet.cpp's for the last. */
const fileTypes: Readonly<Record<TernaryTarget, number>> = { TQ1_0: 36, TQ2_0: 37, I2_S: 40 };

/** Of the old file, not of the model. */
const dropped = /^(general\.(alignment|file_type|quantization_version)$|split\.|ternlight\.note$)/;

/** @param notes gets a sentence for each thing that is not as it was */
export function convertedMetadata(metadata: Metadata, ternary: TernaryTarget, notes: string[]): MetadataItem[] {
  const oldName = metadata.string('general.architecture') ?? '';
  const newName = architectureFor(metadata, oldName, ternary);
  const items: MetadataItem[] = [['general.architecture', 'string', newName]];
  if (newName !== oldName) notes.push(`the architecture ${oldName} is called ${newName}`);
  for (const key of metadata.keys) {
    if (key === 'general.architecture' || dropped.test(key)) continue;
    if (newName !== oldName && key === `${oldName}.hidden_activation`) continue;
    const named = key.startsWith(`${oldName}.`) ? `${newName}${key.slice(oldName.length)}` : key;
    if (named !== key && metadata.has(named)) continue; // a key twice is no GGUF
    const item = itemOf(metadata, key, named);
    if (item) items.push(item);
    else notes.push(`the key ${key} is left out: GGUF files written here have no such type`);
  }
  if (newName === 'bitnet' && oldName !== newName) items.push(['bitnet.hidden_activation', 'string', 'relu2']);
  items.push(['general.file_type', 'u32', fileTypes[ternary]], ['general.quantization_version', 'u32', 2]);
  fixPreTokenizer(metadata, oldName, items, notes);
  fixChatTemplate(items, notes);
  return items;
}

/**
 * TQ types are mainline llama.cpp's, which knows one architecture "bitnet" and gates it by squared ReLU where a key says
 * so; I2_S is bitnet.cpp's, which has a name for either.
 */
function architectureFor(metadata: Metadata, name: string, ternary: TernaryTarget): string {
  if (ternary !== 'I2_S') return isBitnetB158(name) ? 'bitnet' : name;
  return name === 'bitnet' && metadata.string('bitnet.hidden_activation') === 'relu2' ? 'bitnet-b1.58' : name;
}

/** Other engines fall back to a splitter that no model uses, or refuse names they do not know. */
function fixPreTokenizer(metadata: Metadata, architecture: string, items: MetadataItem[], notes: string[]): void {
  const key = 'tokenizer.ggml.pre';
  if (metadata.string('tokenizer.ggml.model') !== 'gpt2') return;
  const pre = metadata.string(key);
  const isLlama = isBitnetB158(architecture) || vocabularyFamily(metadata)?.pre === 'llama-bpe';
  if (pre === undefined && isLlama) {
    items.push([key, 'string', 'llama-bpe']);
    notes.push(`${key} was missing; it is llama-bpe`);
  } else if (pre === 'falcon_e') {
    replace(items, [key, 'string', 'llama-bpe']);
    notes.push(`${key} falcon_e, which llama.cpp does not know, is called llama-bpe: the same pattern`);
  }
}

function fixChatTemplate(items: MetadataItem[], notes: string[]): void {
  const key = 'tokenizer.chat_template';
  const template = items.find(([name, type]) => name === key && type === 'string')?.[2] as string | undefined;
  if (template === undefined || !isWrongBitnetTemplate(template)) return;
  replace(items, [key, 'string', bitnetChatTemplate]);
  notes.push(`${key} was not the one that the model was trained with; it is replaced`);
}

function replace(items: MetadataItem[], item: MetadataItem): void {
  items[items.findIndex(([name]) => name === item[0])] = item;
}

/** Undefined for what cannot be written: integers beyond 32 bits in lists, below -2^31 or from 2^53 on. */
function itemOf(metadata: Metadata, key: string, name: string): MetadataItem | undefined {
  const value = metadata.raw(key)!;
  if (typeof value === 'string') return [name, 'string', value];
  if (typeof value === 'boolean') return [name, 'bool', value];
  if (typeof value === 'number') return numberItem(metadata, key, name, value);
  if (typeof value === 'bigint') return undefined;
  if (isStringList(value)) return [name, 'string[]', texts(key, value)];
  if (value instanceof Float32Array) return [name, 'f32[]', value];
  if (Array.from(value).every((item) => item === (item | 0))) return [name, 'i32[]', value];
  return Array.from(value).every(Number.isInteger) ? undefined : [name, 'f32[]', value];
}

function numberItem(metadata: Metadata, key: string, name: string, value: number): MetadataItem | undefined {
  if (isFloat(metadata, key)) return [name, 'f32', value];
  if (value < 0) return value === (value | 0) ? [name, 'i32', value] : undefined;
  return [name, value < 2 ** 32 ? 'u32' : 'u64', value];
}

/** Not by the value: 500000 may be a float, and readers insist on it. */
function isFloat(metadata: Metadata, key: string): boolean {
  try {
    return metadata.float(key) !== undefined;
  } catch {
    return false;
  }
}

function isStringList(value: MetadataValue): value is StringList {
  return typeof value === 'object' && 'get' in value && typeof value.get === 'function';
}

/** As strings: bytes that are no UTF-8 would come out as others. */
function texts(key: string, list: StringList): string[] {
  const encoder = new TextEncoder();
  return Array.from({ length: list.length }, (_, i) => {
    const text = list.get(i);
    if (text.includes('\ufffd') && encoder.encode(text).length !== list.bytes(i).length)
      throw new TernlightError(
        'unsupported',
        `metadata: ${key}[${i}] is not UTF-8, expected text; it cannot be written`,
      );
    return text;
  });
}
