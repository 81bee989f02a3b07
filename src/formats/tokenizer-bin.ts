// tokenizer.bin, which accompanies BitMamba models: the tokens of a GPT-2-like vocabulary by id, each after its length,
// and nothing else. Shown as the keys a GGUF has for the same. Merges are found again from the tokens: merge i made
// token 256 + i. Two variants are about: names in GPT-2's byte alphabet, from which everything can be had again, and
// decoded text, in which tokens that are not whole characters are lost.

import { TernlightError } from '../errors.ts';
import { type MetadataEntry, MetadataMap } from './metadata.ts';
import { mergesOf } from './tokenizer-bin-merges.ts';
import type { ByteSource, Metadata, StringList } from './types.ts';

/** Several times the largest known; as much as a sequential source keeps. */
const maxBytes = 4 << 20;
const maxTokens = 1 << 20;
const maxTokenBytes = 1024;
const endOfText = '<|endoftext|>';
const tokenType = { normal: 1, control: 3, unused: 5 };

/** GPT-2's order of the 256 bytes, which are its first tokens: the printable ones as they are, then the others. */
const byteOfId: readonly number[] = [...range(0x21, 0x7e), ...range(0xa1, 0xac), ...range(0xae, 0xff)].concat(
  range(0x00, 0x20),
  range(0x7f, 0xa0),
  [0xad],
);
/** The character that stands for each byte in the byte alphabet. */
const charOfByte: readonly string[] = byteOfId
  .map((byte, id) => ({ byte, char: String.fromCharCode(id < 188 ? byte : 256 + id - 188) }))
  .sort((a, b) => a.byte - b.byte)
  .map(({ char }) => char);

const utf8 = new TextDecoder('utf-8', { ignoreBOM: true });
const replacement = '\ufffd';

/**
 * Reads either variant. Throws TernlightError: 'invalid-file' for what breaks the format, 'unsupported' for a vocabulary
 * whose first 256 tokens are not the bytes in GPT-2's order.
 */
export async function readTokenizerBin(source: ByteSource, signal?: AbortSignal): Promise<Metadata> {
  const tokens = parse(source.name, await readWhole(source, signal));
  const inAlphabet = isInAlphabet(source.name, tokens);
  const types = new Int32Array(tokens.length).fill(tokenType.normal);
  const texts = tokens.map((bytes) => (inAlphabet ? utf8.decode(bytes) : toAlphabet(bytes)));
  const lossy = checkBytes(source.name, tokens, texts, inAlphabet);
  const eos = tokens.findLastIndex((bytes) => utf8.decode(bytes) === endOfText);
  if (eos >= 0) types[eos] = tokenType.control;
  let lost = 0;
  if (lossy) {
    texts.splice(0, 256, ...byteOfId.map((byte) => charOfByte[byte]!));
    for (let id = 256; id < tokens.length; id++) {
      const text = utf8.decode(tokens[id]);
      if (!text.includes(replacement)) continue;
      // As it stands: not in the byte alphabet, so no text can become this token, but a model may say it.
      texts[id] = text;
      types[id] = tokenType.unused;
      lost++;
    }
  }
  const merges = mergesOf(texts, (id) => types[id] === tokenType.normal);
  const entries = new Map<string, MetadataEntry>([
    ['tokenizer.ggml.model', { type: 'string', value: 'gpt2' }],
    ['tokenizer.ggml.pre', { type: 'string', value: 'gpt-2' }],
    ['tokenizer.ggml.tokens', { type: 'string[]', value: stringList(texts) }],
    ['tokenizer.ggml.token_type', { type: 'i32[]', value: types }],
    ['tokenizer.ggml.merges', { type: 'string[]', value: stringList(merges) }],
    ['tokenizer.ggml.add_bos_token', { type: 'bool', value: false }],
  ]);
  if (eos >= 0) {
    entries.set('tokenizer.ggml.bos_token_id', { type: 'u32', value: eos });
    entries.set('tokenizer.ggml.eos_token_id', { type: 'u32', value: eos });
  }
  if (lost > 0) {
    const value =
      `tokenizer: ${source.name} holds decoded text: ${lost} tokens that are not whole characters are lost in it, so that ` +
      'text beyond ASCII and Latin letters is encoded otherwise than in training; use the variant in the byte alphabet';
    entries.set('ternlight.note', { type: 'string', value });
  }
  return new MetadataMap(entries);
}

/** All of a source, whose length may be known only when its end has been met. */
async function readWhole(source: ByteSource, signal: AbortSignal | undefined): Promise<Uint8Array> {
  for (let lengthBytes = 1 << 20; source.byteLength === undefined && lengthBytes <= maxBytes; lengthBytes *= 2) {
    await source.read(0, lengthBytes, signal).catch((error: unknown) => {
      if (source.byteLength === undefined) throw error;
    });
  }
  const { byteLength } = source;
  if (byteLength !== undefined && byteLength <= maxBytes) return source.read(0, byteLength, signal);
  throw invalid(source.name, `has ${byteLength ?? 'more'} bytes, expected at most ${maxBytes}`);
}

/** Views of the tokens' bytes. */
function parse(fileName: string, bytes: Uint8Array): Uint8Array[] {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const tokens: Uint8Array[] = [];
  let at = 0;
  while (at < bytes.length) {
    const where = `token ${tokens.length}`;
    if (tokens.length === maxTokens) throw invalid(fileName, `has more tokens than ${maxTokens}`);
    if (at + 4 > bytes.length) throw invalid(fileName, `is cut short at ${bytes.length} bytes, within ${where}`);
    const length = view.getUint32(at, true);
    if (length < 1 || length > maxTokenBytes) {
      throw invalid(fileName, `${where} has a length of ${length} bytes, expected 1 to ${maxTokenBytes}`);
    }
    at += 4 + length;
    if (at > bytes.length) throw invalid(fileName, `is cut short at ${bytes.length} bytes, within ${where}`);
    tokens.push(bytes.subarray(at - length, at));
  }
  if (tokens.length < 257) throw invalid(fileName, `has ${tokens.length} tokens, expected 257 or more`);
  return tokens;
}

/** Token 220 is the space: itself in one variant, its name in the byte alphabet in the other. */
function isInAlphabet(fileName: string, tokens: readonly Uint8Array[]): boolean {
  const text = utf8.decode(tokens[220]);
  if (text === charOfByte[0x20]) return true;
  if (text === ' ') return false;
  throw notBytes(fileName, 220, text, `" " or ${JSON.stringify(charOfByte[0x20])}`);
}

/** The first 256 tokens are the bytes, or this throws. Returns whether half of them have been lost by decoding. */
function checkBytes(
  fileName: string,
  tokens: readonly Uint8Array[],
  texts: readonly string[],
  inAlphabet: boolean,
): boolean {
  let lossy = false;
  byteOfId.forEach((byte, id) => {
    if (texts[id] === charOfByte[byte]) return;
    const text = utf8.decode(tokens[id]);
    if (inAlphabet || byte < 0x80 || text !== replacement) {
      throw notBytes(fileName, id, text, `byte ${byte}`);
    }
    lossy = true;
  });
  return lossy;
}

function toAlphabet(bytes: Uint8Array): string {
  let text = '';
  for (const byte of bytes) text += charOfByte[byte]!;
  return text;
}

function stringList(texts: readonly string[]): StringList {
  const encoder = new TextEncoder();
  return { length: texts.length, get: (index) => texts[index]!, bytes: (index) => encoder.encode(texts[index]!) };
}

function range(first: number, last: number): number[] {
  return Array.from({ length: last - first + 1 }, (_, i) => first + i);
}

function notBytes(fileName: string, id: number, text: string, expected: string): TernlightError {
  return new TernlightError(
    'unsupported',
    `tokenizer.bin: ${fileName}: token ${id} is ${JSON.stringify(text.slice(0, 40))}, expected ${expected}: the first 256 tokens are not the bytes in GPT-2's order`,
  );
}

function invalid(fileName: string, text: string): TernlightError {
  return new TernlightError('invalid-file', `tokenizer.bin: ${fileName} ${text}`);
}
