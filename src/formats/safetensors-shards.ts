// The tensors of a checkpoint in one file or many. Which file has which tensor is told twice, by an index and by the
// files: every difference is an error. Knows no model.

import { TernlightError } from '../errors.ts';
import { readJson } from './hf-files.ts';
import type { JsonObject } from './hf-json.ts';
import { readTensorTable, type SafeTensor } from './safetensors.ts';
import { describe, quote } from './safetensors-text.ts';
import type { ByteSource, FileSet } from './types.ts';

export interface Checkpoint {
  /** In the order of the files and of the data in them. */
  readonly tensors: readonly SafeTensor[];
  close(): Promise<void>;
}

const single = 'model.safetensors';
const index = `${single}.index.json`;
const maxShards = 1000;

/** Opens the files and leaves them open. Throws 'invalid-file' for what does not fit together. */
export async function openCheckpoint(files: FileSet, signal?: AbortSignal): Promise<Checkpoint> {
  const one = await files.open(single, signal);
  if (one) return oneFile(one, signal);
  const json = await readJson(files, index, signal);
  if (json) return manyFiles(files, readWeightMap(json), signal);
  const old =
    (await exists(files, 'pytorch_model.bin', signal)) || (await exists(files, `pytorch_model.bin.index.json`, signal));
  const cure = old
    ? "its pytorch_model.bin is not read: save the model again with transformers' save_pretrained"
    : 'download the weights too';
  throw new TernlightError('invalid-file', `repository: ${files.name} has neither ${single} nor ${index}; ${cure}`);
}

/** A file that holds all tensors. */
export async function oneFile(source: ByteSource, signal?: AbortSignal): Promise<Checkpoint> {
  try {
    return { tensors: await readTensorTable(source, signal), close: () => source.close() };
  } catch (error) {
    await source.close();
    throw error;
  }
}

async function manyFiles(files: FileSet, shards: Map<string, string[]>, signal?: AbortSignal): Promise<Checkpoint> {
  const sources: ByteSource[] = [];
  const close = async () => void (await Promise.all(sources.map((source) => source.close())));
  try {
    const tensors: SafeTensor[] = [];
    const shardOf = new Map<string, string>();
    for (const [shard, names] of shards) {
      const source = await files.open(shard, signal);
      if (!source) {
        throw invalid(`${index} names ${shard}, which is missing; it should hold ${listed(names)}: download it`);
      }
      sources.push(source);
      const wanted = new Set(names);
      for (const tensor of await readTensorTable(source, signal)) {
        const other = shardOf.get(tensor.name);
        if (other) throw invalid(`tensor ${quote(tensor.name)} is in both ${other} and ${shard}`);
        if (!wanted.delete(tensor.name)) {
          throw invalid(
            `tensor ${quote(tensor.name)} is in ${shard}, but ${index} does not say so; download both again`,
          );
        }
        shardOf.set(tensor.name, shard);
        tensors.push(tensor);
      }
      if (wanted.size > 0) {
        throw invalid(`${shard} lacks ${listed([...wanted])}, which ${index} says it holds; download both again`);
      }
    }
    return { tensors, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Files in the order of their names, each with its tensors. */
function readWeightMap(json: JsonObject): Map<string, string[]> {
  const map = json.object('weight_map');
  if (!map) throw json.invalid('weight_map', 'an object');
  const shards = new Map<string, string[]>();
  for (const name of map.keys) {
    const shard = map.raw(name);
    // The index comes from a stranger and names files to open.
    if (typeof shard !== 'string' || !/^[\w-][\w.+=@ -]{0,254}$/.test(shard) || shard.includes('..')) {
      throw new TernlightError(
        'invalid-file',
        `${index}: weight_map: ${quote(name)} is ${describe(shard)}, expected a plain file name`,
      );
    }
    const names = shards.get(shard);
    if (names) names.push(name);
    else shards.set(shard, [name]);
    if (shards.size > maxShards) throw invalid(`${index} names more than ${maxShards} files`);
  }
  if (shards.size === 0) throw json.invalid('weight_map', 'a file for each tensor');
  return new Map([...shards].sort(([a], [b]) => (a < b ? -1 : 1)));
}

async function exists(files: FileSet, path: string, signal?: AbortSignal): Promise<boolean> {
  const source = await files.open(path, signal);
  await source?.close();
  return source !== undefined;
}

/** The first names and how many more. */
function listed(names: readonly string[]): string {
  const rest = names.length - 3;
  return `${names.slice(0, 3).map(quote).join(', ')}${rest > 0 ? ` and ${rest} more` : ''}`;
}

function invalid(text: string): TernlightError {
  return new TernlightError('invalid-file', `repository: ${text}`);
}
