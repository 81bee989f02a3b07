// A folder of the local disk as a store, for Node, Deno and Bun. A slot is a record (ID.json), one file of data
// (ID-NAME, which other programs can use once it is whole), and until then a list of the pieces in it (ID.pieces).
import { TernlightError } from '../errors.ts';
import { bytesSource } from '../formats/source.ts';
import { type Backend, type Slot, storageError } from '../store/backend.ts';
import { fileLock } from './file-lock.ts';
import { fileSource, nodeFs } from './file-source.ts';

const recordName = /^([0-9a-f]+-\d+)\.json$/;

/** TERNLIGHT_CACHE, or where this system's programs keep what can be had again. Undefined: "off". */
export function cacheFolder(env: NodeJS.ProcessEnv, system: string, home: string): string | undefined {
  const { TERNLIGHT_CACHE, XDG_CACHE_HOME, LOCALAPPDATA } = env;
  if (TERNLIGHT_CACHE) return TERNLIGHT_CACHE === 'off' ? undefined : TERNLIGHT_CACHE;
  if (system === 'win32' && LOCALAPPDATA) return `${LOCALAPPDATA}\\ternlight\\cache`;
  if (system === 'darwin') return `${home}/Library/Caches/ternlight`;
  return `${XDG_CACHE_HOME || `${home}/.cache`}/ternlight`;
}

/** Asks for the folder each time: TERNLIGHT_CACHE may change. */
export async function openFileStore(): Promise<Backend> {
  const folder = cacheFolder(process.env, process.platform, process.getBuiltinModule('node:os').homedir());
  if (folder === undefined) throw new TernlightError('storage', 'store: TERNLIGHT_CACHE is "off": nothing is kept');
  return fileStore(folder);
}

/** Path of a slot's data. */
function dataPath(folder: string, { id, record }: Slot): string {
  const name = /[^/]*$/
    .exec(record.url)![0]
    .replace(/[^\w.+=-]/g, '_')
    .slice(-80);
  return `${folder}/${id}-${name}`;
}

/** Creates the folder with the first write. */
export async function fileStore(folder: string): Promise<Backend> {
  const fs = nodeFs();

  /** `missing` in place of an error where there is no such file. */
  async function guarded<T>(what: string, work: Promise<T>, missing?: T): Promise<T> {
    try {
      return await work;
    } catch (cause) {
      if (missing !== undefined && (cause as { code?: string }).code === 'ENOENT') return missing;
      throw storageError(folder, what, cause);
    }
  }
  const names = () => guarded('could not be listed', fs.readdir(folder), []);
  const path = (name: string) => `${folder}/${name}`;

  return {
    name: folder,

    async slots() {
      return (await names()).flatMap((name) => recordName.exec(name)?.[1] ?? []);
    },

    async readRecord(id) {
      return (await guarded('could not be read', fs.readFile(path(`${id}.json`), 'utf8'), '')) || undefined;
    },

    async writeRecord(id, text) {
      const temporary = path(`${id}.new`);
      const write = async () => {
        await fs.mkdir(folder, { recursive: true });
        await fs.writeFile(temporary, text);
        await fs.rename(temporary, path(`${id}.json`));
      };
      await guarded('could not be written', write());
    },

    async pieces(slot) {
      const { id, record } = slot;
      const size = await guarded(
        'could not be read',
        fs.stat(dataPath(folder, slot)).then((stat) => stat.size),
        0,
      );
      if (size !== record.bytes) return new Set();
      const count = Math.ceil(record.bytes / record.pieceBytes);
      if (record.whole) return new Set(Array(count).keys());
      const text = await guarded('could not be read', fs.readFile(path(`${id}.pieces`), 'utf8'), '');
      // "7=7": a line that was cut short is none.
      return new Set(Array.from(text.matchAll(/^(\d+)=\1$/gm), ([, index]) => Number(index)));
    },

    async write(slot, index, given) {
      const write = async () => {
        const bytes = given instanceof Blob ? new Uint8Array(await given.arrayBuffer()) : given;
        const file = await fs.open(dataPath(folder, slot), 'a').then(async (created) => {
          await created.close();
          return fs.open(dataPath(folder, slot), 'r+');
        });
        try {
          await file.truncate(slot.record.bytes);
          const start = index * slot.record.pieceBytes;
          for (let done = 0; done < bytes.length; )
            done += (await file.write(bytes, done, bytes.length - done, start + done)).bytesWritten;
          await file.datasync();
        } finally {
          await file.close();
        }
        await fs.appendFile(path(`${slot.id}.pieces`), `${index}=${index}\n`);
      };
      await guarded('could not be written', write());
    },

    async open(slot) {
      // Of no bytes nothing has been written.
      return slot.record.bytes === 0 ? bytesSource(new Uint8Array(0)) : fileSource(dataPath(folder, slot));
    },

    async remove(id) {
      const files = (await names()).filter((name) => name.startsWith(`${id}.`) || name.startsWith(`${id}-`));
      // The record last: data without one would never be found again.
      files.sort((a, b) => Number(recordName.test(a)) - Number(recordName.test(b)));
      for (const name of files) await guarded('could not be cleared', fs.rm(path(name), { force: true }));
    },

    async tryLock(name) {
      await guarded('could not be written', fs.mkdir(folder, { recursive: true }));
      return guarded('could not be written', fileLock(fs, path(`${name}.lock`)));
    },

    async freeBytes() {
      try {
        const { bavail, bsize } = await fs.statfs(folder);
        return bavail * bsize;
      } catch {
        return undefined;
      }
    },

    persist: async () => true,
    hasher() {
      const hash = process.getBuiltinModule('node:crypto').createHash('sha256');
      return { update: (bytes) => void hash.update(bytes), digest: () => hash.digest('hex') };
    },
  };
}
