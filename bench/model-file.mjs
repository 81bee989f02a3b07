// The synthetic model of a shape as a file, as the published model is: read from a disk, not made while it is read.
import { closeSync, existsSync, mkdirSync, openSync, renameSync, statSync, writeSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { build } from 'esbuild';

const CHUNK_BYTES = 1 << 24;
export const folder = join(tmpdir(), 'ternlight-bench');

const entry = `
export { syntheticModel } from './src/formats/synthetic.ts';
export { shapes } from './src/formats/synthetic-shapes.ts';
`;
const stdin = { contents: entry, resolveDir: fileURLToPath(new URL('..', import.meta.url)), loader: 'ts' };
const { outputFiles } = await build({ stdin, bundle: true, write: false, format: 'esm', platform: 'node' });
const { syntheticModel, shapes } = await import(
  `data:text/javascript;base64,${Buffer.from(outputFiles[0].contents).toString('base64')}`
);

export { shapes };

/** Writes the file unless it is there; gives its path. */
export async function modelFile(shape) {
  const source = syntheticModel(shape);
  const file = join(folder, `${shape}.gguf`);
  if (existsSync(file) && statSync(file).size === source.byteLength) return file;
  mkdirSync(folder, { recursive: true });
  // A file that is half written must not be taken for a whole one by the next run.
  const part = `${file}.part`;
  const out = openSync(part, 'w');
  try {
    for (let at = 0; at < source.byteLength; at += CHUNK_BYTES)
      writeSync(out, await source.read(at, Math.min(CHUNK_BYTES, source.byteLength - at)));
  } finally {
    closeSync(out);
  }
  renameSync(part, file);
  return file;
}
