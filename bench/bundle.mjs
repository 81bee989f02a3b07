// Parts of the sources, for benchmarks of what the package does not give out.
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

/** Bundles and imports `entry`, TypeScript whose paths are those of the repository's root. */
export async function importSources(entry) {
  const stdin = { contents: entry, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' };
  const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', platform: 'node' });
  return import(`data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`);
}
