// A build's kernels as the benchmarks use them: the shipped bytes over a memory of their own, and a line that says where.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = fileURLToPath(new URL('..', import.meta.url));

function wasm(name, folder) {
  const file = join(folder ?? join(root, 'build'), `${name}.wasm`);
  if (!existsSync(file)) throw new Error(`${file} is missing: run node scripts/build.mjs --build`);
  return readFileSync(file);
}

/** The best build that this engine accepts. */
export function bestVariant() {
  return WebAssembly.validate(wasm('relaxed')) ? 'relaxed' : 'simd';
}

/** Compiled modules of a build, of this tree or of another build folder; a relaxed one is laid over the baseline. */
export function modulesOf(variant, folder) {
  const parts = variant.startsWith('relaxed') ? [variant.replace('relaxed', 'simd'), variant] : [variant];
  return parts.map((part) => new WebAssembly.Module(wasm(part, folder)));
}

export function memoryOf(variant, pages) {
  return new WebAssembly.Memory({ initial: pages, maximum: pages, shared: variant.endsWith('threads') });
}

/** Kernels over a memory: a build's constants overwrite another's. */
export function kernelsOf(modules, memory) {
  const instances = modules.map((module) => new WebAssembly.Instance(module, { env: { memory, abort() {} } }));
  return Object.assign({}, ...instances.map(({ exports }) => exports));
}

function commit() {
  try {
    const git = ['-C', root, 'describe', '--always', '--dirty'];
    return execFileSync('git', git, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] }).trim();
  } catch {
    return 'unknown';
  }
}

export function machine() {
  return {
    machine: cpus()[0]?.model.trim() ?? 'unknown',
    runtime: `${process.release.name} ${process.version} (v8 ${process.versions.v8})`,
    commit: commit(),
  };
}

export function headline(header) {
  return Object.entries(header)
    .map(([k, v]) => `${k}: ${v}`)
    .join(' | ');
}
