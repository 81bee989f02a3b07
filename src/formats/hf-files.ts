// The small files of a repository, read as a whole: settings, templates, vocabularies.

import { TernlightError } from '../errors.ts';
import { JsonObject } from './hf-json.ts';
import type { ByteSource, FileSet } from './types.ts';

const stepBytes = 1 << 20;
/** The largest known tokenizer.json has 35 MB. */
const maxBytes = 256 << 20;

/** Undefined where there is no such file. */
export async function readFile(files: FileSet, path: string, signal?: AbortSignal): Promise<Uint8Array | undefined> {
  const source = await files.open(path, signal);
  if (!source) return undefined;
  try {
    const bytes = await readAll(source, signal);
    // Servers of web apps answer with their start page what they do not have.
    return /^\s*<(!doctype|html)/i.test(String.fromCharCode(...bytes.subarray(0, 64))) ? undefined : bytes;
  } finally {
    await source.close();
  }
}

export async function readText(files: FileSet, path: string, signal?: AbortSignal): Promise<string | undefined> {
  const bytes = await readFile(files, path, signal);
  if (!bytes) return undefined;
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new TernlightError('invalid-file', `${path}: is not UTF-8 text; download it again`, { cause });
  }
}

export async function readJson(files: FileSet, path: string, signal?: AbortSignal): Promise<JsonObject | undefined> {
  const text = await readText(files, path, signal);
  return text === undefined ? undefined : JsonObject.parse(path, text);
}

async function readAll(source: ByteSource, signal?: AbortSignal): Promise<Uint8Array> {
  const parts: Uint8Array[] = [];
  let at = 0;
  for (;;) {
    const known = source.byteLength;
    if (Math.max(at, known ?? 0) > maxBytes) {
      throw new TernlightError('unsupported', `source: ${source.name} is larger than expected, ${maxBytes} bytes`);
    }
    const length = Math.min(stepBytes, (known ?? Number.POSITIVE_INFINITY) - at);
    if (length <= 0) break;
    try {
      parts.push(await source.read(at, length, signal));
      at += length;
    } catch (error) {
      // A stream learns its length when it ends; then the rest can be asked for.
      if (known !== undefined || source.byteLength === undefined) throw error;
    }
  }
  const bytes = new Uint8Array(at);
  let filled = 0;
  for (const part of parts) {
    bytes.set(part, filled);
    filled += part.length;
  }
  return bytes;
}
