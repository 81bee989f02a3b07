// The examples as a user of the package has them: copied out of the repository, the package beside them as npm packs it.
import { execFile } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, renameSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

export const root = fileURLToPath(new URL('../../', import.meta.url));
const run = promisify(execFile);

/** A folder that is removed in the end. */
export function temporaryFolder(): { path: string; remove(): void } {
  const path = mkdtempSync(join(tmpdir(), 'ternlight-example-'));
  return { path, remove: () => rmSync(path, { recursive: true, force: true }) };
}

/** The file that `npm publish` would send, in `folder`. */
export async function pack(folder: string): Promise<string> {
  const { stdout } = await run('npm', ['pack', '--ignore-scripts', '--json', '--pack-destination', folder], {
    cwd: root,
  });
  const [{ filename }] = JSON.parse(stdout.slice(stdout.indexOf('[')));
  return join(folder, filename);
}

/** Installs the package in `folder`, without a registry: it has no dependencies. */
export async function install(folder: string): Promise<void> {
  const modules = join(folder, 'node_modules');
  mkdirSync(modules, { recursive: true });
  await run('tar', ['-xzf', await pack(folder), '-C', modules]);
  renameSync(join(modules, 'package'), join(modules, 'ternlight'));
}

/** Copies an example into `folder` and installs the package there. */
export async function copyExample(name: string, folder: string): Promise<void> {
  cpSync(join(root, 'examples', name), folder, {
    recursive: true,
    filter: (path) => !/[\\/](node_modules|dist|build|www)$/.test(path),
  });
  await install(folder);
}
