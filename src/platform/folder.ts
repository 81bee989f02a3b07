// A folder of the local disk as a set of files, for Node, Deno and Bun.
import { TernlightError } from '../errors.ts';
import type { ByteSource, FileSet } from '../formats/types.ts';
import { fileSource, nodeFs } from './file-source.ts';

/** The files of a folder, or a file with those beside it. Throws 'io' where there is neither. */
export async function openPath(path: string): Promise<{ source?: ByteSource; files: FileSet }> {
  const fs = nodeFs();
  const isFolder = await fs.stat(path).then(
    (stat) => stat.isDirectory(),
    () => false,
  );
  if (isFolder) return { files: folderFiles(path.replace(/(?<=.)[\\/]+$/, '')) };
  const folder = /^.*(?=[\\/][^\\/]*$)/s.exec(path);
  return { source: await fileSource(path), files: folderFiles(folder ? folder[0] || '/' : '.') };
}

function folderFiles(folder: string): FileSet {
  return {
    name: folder,
    async open(path, signal) {
      signal?.throwIfAborted();
      // Names in a repository's index are a stranger's.
      if (path.split(/[\\/]/).some((part) => part === '' || part === '.' || part === '..'))
        throw new TernlightError(
          'invalid-file',
          `source: ${folder} names a file ${JSON.stringify(path)}, expected one within`,
        );
      try {
        return await fileSource(`${folder}/${path}`);
      } catch (error) {
        if ((error as { cause?: { code?: string } }).cause?.code === 'ENOENT') return undefined;
        throw error;
      }
    },
  };
}
