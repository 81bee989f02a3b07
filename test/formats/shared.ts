// Where the large truth data stand, if they do: beside the repository. And a quick comparison of bytes.

import { existsSync, readdirSync } from 'node:fs';
import { expect } from 'vitest';

const truth = new URL('../../../shared/truth/', import.meta.url);

/** The folder, or undefined; then the run says what it skips. */
export function truthFolder(name: string): URL | undefined {
  const folder = new URL(`${name}/`, truth);
  if (existsSync(folder)) return folder;
  console.log(`skipped: no shared/truth/${name} beside the repository`);
  return undefined;
}

export function ggufFiles(folder: URL | undefined): string[] {
  return folder ? readdirSync(folder).filter((name) => name.endsWith('.gguf')) : [];
}

/** As toEqual, which takes a second for a megabyte. */
export function expectBytes(got: Uint8Array, expected: Uint8Array): void {
  expect(got.length).toBe(expected.length);
  expect(Buffer.compare(got, expected)).toBe(0);
}
