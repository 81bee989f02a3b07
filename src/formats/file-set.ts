// Several files that make up a model, where they come from an address or from a page. (A folder on disk is in
// platform/.)

import { TernlightError } from '../errors.ts';
import { blobSource, type UrlSourceOptions, urlSource } from './source.ts';
import type { ByteSource, FileSet } from './types.ts';

/**
 * Files below an address: "https://huggingface.co/NAME/resolve/main". A query is kept for each file. Status 404 or 410
 * means that there is no such file; any other failure throws 'io'.
 * @param open in place of urlSource; it has to use the fetch that it is given
 */
export function urlFileSet(
  base: string | URL,
  options: UrlSourceOptions = {},
  open: (url: URL, options: UrlSourceOptions) => Promise<ByteSource | undefined> = urlSource,
): FileSet {
  const folder = fileUrl(base, '');
  return {
    name: `${folder.origin}${folder.pathname}`.slice(0, -1),
    async open(path, signal) {
      const url = fileUrl(folder, path);
      let status = 0;
      const watched: typeof fetch = async (input, init) => {
        const response = await (options.fetch ?? fetch)(input, init);
        status = response.status;
        return response;
      };
      try {
        return await open(url, { ...options, signal: options.signal ?? signal, fetch: watched });
      } catch (error) {
        if ((status === 404 || status === 410) && !(signal?.aborted || options.signal?.aborted)) return undefined;
        throw error;
      }
    },
  };
}

/** Address of a file of urlFileSet. */
export function fileUrl(base: string | URL, path: string): URL {
  const url = new URL(String(base));
  if (!url.pathname.endsWith('/')) url.pathname += '/';
  url.pathname += path.split('/').map(encodeURIComponent).join('/');
  return url;
}

/**
 * What was chosen or dropped on a page: files of one folder, or blobs by their path.
 * @param name for messages. Default: the folder's name, "files" where there is none
 */
export function blobFileSet(files: Iterable<File> | ReadonlyMap<string, Blob>, name?: string): FileSet {
  const blobs = new Map<string, Blob>();
  let folder = '';
  if (files instanceof Map) for (const [path, blob] of files as ReadonlyMap<string, Blob>) blobs.set(path, blob);
  else {
    for (const file of files as Iterable<File>) {
      // "folder/config.json" where a folder was chosen, "" where files were.
      const [first, ...rest] = (file.webkitRelativePath || '').split('/');
      if (rest.length > 0) folder ||= first!;
      const path = rest.length > 0 ? rest.join('/') : file.name;
      if (blobs.has(path)) {
        throw new TernlightError('invalid-option', `files: ${path} is there twice, expected the files of one model`);
      }
      blobs.set(path, file);
    }
  }
  return {
    name: name ?? (folder || 'files'),
    async open(path, signal) {
      signal?.throwIfAborted();
      const blob = blobs.get(path);
      return blob && blobSource(blob, path);
    },
  };
}
