// From a name of the hub to what it stands for: a file, or the files of a repository. Names without a file are looked up
// among the known models. Downloads nothing that is not asked for.

import { TernlightError } from '../errors.ts';
import { urlFileSet } from '../formats/file-set.ts';
import { type UrlSourceOptions, urlSource } from '../formats/source.ts';
import type { ByteSource, FileSet } from '../formats/types.ts';
import { type HubName, hubAddress, parseHubName } from './hub-name.ts';
import { type KnownModel, knownModel, refusedModels } from './known-models.ts';

export interface HubOptions extends Pick<UrlSourceOptions, 'fetch' | 'headers' | 'signal' | 'retries' | 'retryMs'> {
  /** Default "https://huggingface.co". */
  hub?: string;
  /** In place of requests of its own: by way of the store. */
  opener?: AddressOpener;
}

/** Opens what is at an address; as urlSource and urlFileSet. */
export interface AddressOpener {
  file(url: URL, known?: { readonly bytes: number; readonly sha256?: string }): Promise<ByteSource>;
  files(base: string | URL): FileSet;
}

/** What a name stands for. */
export interface HubTarget {
  /** 'files': a safetensors repository, its folder's address. */
  readonly kind: 'file' | 'files';
  readonly address: string;
  readonly known: KnownModel | undefined;
}

/** Throws 'invalid-option' for names that are none or stand for no one file, 'unsupported' for models that cannot run. */
export function hubTarget(text: string, hub?: string): HubTarget {
  const name = parseHubName(text);
  const id = `${name.owner}/${name.repo}`;
  const refused = refusedModels.find(({ pattern }) => pattern.test(id));
  if (refused) throw new TernlightError('unsupported', `hub: ${id} cannot be run: ${refused.why}`);
  const known = knownModel(id);
  const file = name.file ?? fileOf(name, known);
  return { kind: file === undefined ? 'files' : 'file', address: hubAddress({ ...name, file }, hub), known };
}

/** The file of a repository that has several; undefined for a safetensors repository. */
function fileOf(name: HubName, known: KnownModel | undefined): string | undefined {
  if (known && known.file !== 'ask') return known.file;
  if (!known && !/-gguf$/i.test(name.repo)) return undefined;
  const id = `${name.owner}/${name.repo}`;
  throw new TernlightError(
    'invalid-option',
    `hub: hf:${id} names a repository of GGUF files, expected one of them: hf:${id}/FILE.gguf; the names are at ${hubAddress({ ...name }).replace(/\/resolve\/.*/, '/tree/main')}`,
  );
}

/**
 * Opens the file, and gives those beside it; of a safetensors repository the files alone. Throws 'io' with what was
 * tried and what can be done.
 */
export async function openHub(
  text: string,
  options: HubOptions = {},
): Promise<{ source?: ByteSource; files: FileSet }> {
  const { hub, opener, ...urlOptions } = options;
  const { kind, address, known } = hubTarget(text, hub);
  const base = kind === 'files' ? address : new URL('./', address);
  const folder = opener?.files(base) ?? urlFileSet(base, urlOptions);
  const files: FileSet = {
    name: folder.name,
    open: (path, signal) => explained(text, 'the repository', signal, () => folder.open(path, signal)),
  };
  if (kind === 'files') return { files };
  const file = () => opener?.file(new URL(address), known) ?? urlSource(address, urlOptions);
  return { source: await explained(text, address, options.signal, file), files };
}

/** @param wanted what to download by other means */
async function explained<T>(
  text: string,
  wanted: string,
  signal: AbortSignal | undefined,
  open: () => Promise<T>,
): Promise<T> {
  try {
    return await open();
  } catch (cause) {
    if (signal?.aborted || !(cause instanceof TernlightError) || cause.code !== 'io') throw cause;
    const told = cause.message.replace(/^source: /, '').replace(/; check address and network$/, '');
    // The hub does not tell strangers whether a repository exists.
    const cure = /status 40[13]/.test(told)
      ? 'the repository does not exist, or its owner wants a login: check the name, or download the file in a browser and give its path'
      : /status 404/.test(told)
        ? 'the repository has no such file: check the name'
        : `without a network, download ${wanted} elsewhere and give its path`;
    throw new TernlightError('io', `hub: ${text} could not be opened: ${told}; ${cure}`, { cause });
  }
}
