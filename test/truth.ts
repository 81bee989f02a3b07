// Where other engines' answers are: beside the repository in a full checkout, absent in a bare clone.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';

const shared = new URL('../../shared/', import.meta.url);

/** Path of a file of the truth set, e.g. "truth/models/x.gguf". */
export function truthPath(name: string): string {
  return fileURLToPath(new URL(name, shared));
}

/** False, with a line that says what is skipped, where the truth set is not there. */
export function hasTruth(name: string, what: string): boolean {
  if (existsSync(truthPath(name))) return true;
  console.log(`skipped: ${what} (no ${name} beside the repository)`);
  return false;
}

/** A folder of the truth set by its name below truth/, or undefined; then the run says what it skips. */
export function truthFolder(name: string): URL | undefined {
  return hasTruth(`truth/${name}`, `what needs truth/${name}`) ? new URL(`truth/${name}/`, shared) : undefined;
}

export function ggufFiles(folder: URL | undefined): string[] {
  return folder ? readdirSync(folder).filter((name) => name.endsWith('.gguf')) : [];
}

export function truthJson<T>(name: string): T {
  return JSON.parse(readFileSync(truthPath(name), 'utf8')) as T;
}

/** Little-endian f32 numbers. */
export function truthFloats(name: string): Float32Array {
  const bytes = readFileSync(truthPath(name));
  return new Float32Array(bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.byteLength));
}

/** As toEqual, which takes a second for a megabyte. */
export function expectBytes(got: Uint8Array, expected: Uint8Array): void {
  expect(got.length).toBe(expected.length);
  expect(Buffer.compare(got, expected)).toBe(0);
}
