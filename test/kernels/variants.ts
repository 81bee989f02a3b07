// Every shipped build in one test body. What the engine refuses is skipped with the reason in the tests' names.
import { existsSync, readFileSync } from 'node:fs';
import { describe } from 'vitest';
import type { Kernels } from '../../src/kernels.d.ts';
import { Arena } from './arena.ts';

const VARIANTS = ['simd', 'relaxed', 'simd-threads', 'relaxed-threads'] as const;
export type VariantName = (typeof VARIANTS)[number];

/** 192 MiB: pages that no test touches cost nothing. */
const PAGES = 3072;

export interface Variant {
  name: VariantName;
  relaxed: boolean;
  threads: boolean;
  kernels: Kernels;
  modules: readonly WebAssembly.Module[];
  memory: WebAssembly.Memory;
  /** A fresh arena over the same memory, from `base` on (the heap's, if not given). */
  arena(base?: number): Arena;
}

/** The modules of a build, as build.mjs wrote them: a relaxed one is laid over the other. */
function bytesOf(name: VariantName): Uint8Array<ArrayBuffer>[] {
  const parts = name.startsWith('relaxed') ? [name.replace('relaxed', 'simd'), name] : [name];
  return parts.map((part) => {
    const url = new URL(`../../build/${part}.wasm`, import.meta.url);
    if (!existsSync(url)) throw new Error(`build/${part}.wasm is missing: run node scripts/build.mjs --build`);
    return Uint8Array.from(readFileSync(url));
  });
}

/** Instantiates a variant over a memory of `pages`. */
export function instantiate(name: VariantName, pages = PAGES): Variant {
  const threads = name.endsWith('threads');
  const memory = new WebAssembly.Memory({ initial: pages, maximum: pages, shared: threads });
  const modules = bytesOf(name).map((bytes) => new WebAssembly.Module(bytes));
  const abort = () => {
    throw new Error('abort');
  };
  const instances = modules.map((module) => new WebAssembly.Instance(module, { env: { memory, abort } }));
  const kernels: Kernels = Object.assign({}, ...instances.map(({ exports }) => exports));
  return {
    name,
    relaxed: name.startsWith('relaxed'),
    threads,
    kernels,
    modules,
    memory,
    arena: (base = kernels.heapBase()) => new Arena(memory, base),
  };
}

/** Why the engine cannot run a variant, or nothing. */
function refusal(name: VariantName): string | undefined {
  if (bytesOf(name).every((bytes) => WebAssembly.validate(bytes))) return undefined;
  return `WebAssembly.validate refuses it on ${process.release.name} ${process.version}`;
}

/** Runs `body` for every variant. `get` may be called inside tests only. */
export function forEachVariant(body: (get: () => Variant, name: VariantName) => void, pages?: number): void {
  for (const name of VARIANTS) {
    const reason = refusal(name);
    let variant: Variant | undefined;
    const get = () => {
      variant ??= instantiate(name, pages);
      return variant;
    };
    if (reason) {
      console.log(`${name}: skipped, ${reason}`);
      describe.skip(`${name} (skipped: ${reason})`, () => body(get, name));
    } else describe(name, () => body(get, name));
  }
}
