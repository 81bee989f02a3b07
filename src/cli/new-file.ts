// A file that is there as a whole or not at all: written under another name in the same folder, and given its own when
// everything is on the disk.

import { unlinkSync } from 'node:fs';
import { type FileHandle, link, open, rename, rm, stat } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { TernlightError } from '../index.ts';

export class NewFile {
  readonly #path: string;
  readonly #force: boolean;
  readonly #temporary: string;
  readonly #file: FileHandle;
  /** A second Ctrl-C ends the process at once. */
  readonly #atExit = () => {
    try {
      unlinkSync(this.#temporary);
    } catch {
      // Gone already, or the folder is: nothing is left to clear up.
    }
  };

  private constructor(path: string, force: boolean, temporary: string, file: FileHandle) {
    this.#path = path;
    this.#force = force;
    this.#temporary = temporary;
    this.#file = file;
    process.once('exit', this.#atExit);
  }

  /** Throws 'io' where the file is there and not to be replaced, or cannot be written. */
  static async create(path: string, force: boolean): Promise<NewFile> {
    const there = await stat(path).catch(() => undefined);
    if (there && !there.isFile()) throw io(path, 'is there and is not a file');
    if (there && !force) throw exists(path);
    const random = Math.floor(Math.random() * 2 ** 32).toString(36);
    const temporary = join(dirname(path), `.${basename(path).slice(0, 40)}.part-${random}`);
    try {
      return new NewFile(path, force, temporary, await open(temporary, 'wx'));
    } catch (cause) {
      throw failure(path, cause);
    }
  }

  async write(bytes: Uint8Array): Promise<void> {
    try {
      // A write may be short; writeFile goes on from where the handle is until all is written.
      await this.#file.writeFile(bytes);
    } catch (cause) {
      throw failure(this.#path, cause);
    }
  }

  /** The file is there from now on. */
  async commit(): Promise<void> {
    try {
      await this.#file.sync();
      await this.#file.close();
      if (this.#force) await rename(this.#temporary, this.#path);
      else await nameOnce(this.#temporary, this.#path);
    } catch (cause) {
      throw cause instanceof TernlightError ? cause : failure(this.#path, cause);
    }
    process.off('exit', this.#atExit);
    await syncFolder(dirname(this.#path));
  }

  /** Leaves nothing behind; after a failure, that of commit() too. */
  async discard(): Promise<void> {
    await this.#file.close().catch(() => {});
    await rm(this.#temporary, { force: true }).catch(() => {});
    process.off('exit', this.#atExit);
  }
}

/** rename() would replace what has come there meanwhile; a link does not, where the file system has links. */
async function nameOnce(from: string, to: string): Promise<void> {
  try {
    await link(from, to);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'EEXIST' || (await stat(to).catch(() => undefined))) throw exists(to);
    await rename(from, to);
    return;
  }
  await rm(from, { force: true });
}

/** So that the name survives a power cut too; not every system opens folders. */
async function syncFolder(path: string): Promise<void> {
  try {
    const folder = await open(path, 'r');
    await folder.sync().finally(() => folder.close());
  } catch {
    // The file itself is on the disk.
  }
}

function exists(path: string): TernlightError {
  return io(path, 'is there already; --force replaces it');
}

function failure(path: string, cause: unknown): TernlightError {
  const texts: Record<string, string> = {
    ENOENT: 'cannot be written: its folder does not exist',
    ENOTDIR: 'cannot be written: a part of its path is not a folder',
    EACCES: 'may not be written; check the permissions of its folder',
    EPERM: 'may not be written; check the permissions of its folder',
    EROFS: 'cannot be written: the disk is read-only',
    ENOSPC: 'cannot be written: the disk is full',
    EDQUOT: 'cannot be written: the disk quota is used up',
  };
  const { code = '', message } = cause as NodeJS.ErrnoException;
  return io(path, texts[code] ?? `cannot be written: ${message}`, cause);
}

function io(path: string, text: string, cause?: unknown): TernlightError {
  return new TernlightError('io', `out: ${path} ${text}`, { cause });
}
