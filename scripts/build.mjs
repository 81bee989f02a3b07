// Builds everything that ships: the WebAssembly variants, the kernels' types, and the bundles in dist/.
//   node scripts/build.mjs            all
//   node scripts/build.mjs --build    only build/: the WebAssembly and the workers' programs, which tests of sources use
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { deflateSync } from 'node:zlib';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const require = createRequire(import.meta.url);
/**
 * Compiled, from which source. Builds without threads differ in a bit of the memory's import (src/runtime/unshared.ts); a
 * relaxed build is the other one and a module of what relaxed SIMD makes faster.
 */
const COMPILED = { 'simd-threads': 'assembly/index.ts', 'relaxed-threads': 'assembly/relaxed.ts' };
const MODULES = Object.keys(COMPILED);

function run(file, args) {
  const { status } = spawnSync(process.execPath, [file, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed with status ${status}`);
}

async function buildWasm() {
  mkdirSync('build', { recursive: true });
  const asc = join(dirname(require.resolve('assemblyscript/package.json')), 'bin', 'asc.js');
  for (const [target, entry] of Object.entries(COMPILED))
    run(asc, [entry, '--config', 'asconfig.json', '--target', target]);
  writeIfChanged('src/kernels.d.ts', kernelTypes(readFileSync('build/simd-threads.d.ts', 'utf8')));
  const deflated = (v) => deflateSync(readFileSync(`build/${v}.wasm`), { level: 9 }).toString('base64');
  const base64 = MODULES.map((v) => `  '${v}': '${deflated(v)}',`);
  writeFileSync('build/wasm.js', `export const wasmDeflated = {\n${base64.join('\n')}\n};\n`);
  const keys = MODULES.map((v) => `  readonly '${v}': string;`);
  writeFileSync('build/wasm.d.ts', `export declare const wasmDeflated: {\n${keys.join('\n')}\n};\n`);
  // As the engine makes them when it is loaded: for benchmarks of kernels.
  await bundle({ entryPoints: ['src/runtime/unshared.ts'], outfile: 'build/unshared.mjs' });
  const { unshared } = await import(pathToFileURL('build/unshared.mjs'));
  for (const v of MODULES)
    writeFileSync(`build/${v.replace('-threads', '')}.wasm`, unshared(readFileSync(`build/${v}.wasm`)));
}

/** The compiler's raw declarations, reduced to an interface of numbers. */
function kernelTypes(dts) {
  const out = [
    '// Generated from assembly/index.ts by scripts/build.mjs; do not edit. npm test fails if it is stale.',
    'export interface Kernels {',
  ];
  for (const m of dts.matchAll(/export function (\w+)\(([^)]*)\): (\w+);/g)) out.push(`  ${m[1]}(${m[2]}): ${m[3]};`);
  out.push('}', '');
  return out.join('\n');
}

function writeIfChanged(file, text) {
  if (!existsSync(file) || readFileSync(file, 'utf8') !== text) writeFileSync(file, text);
}

/** @param {import('esbuild').BuildOptions} options */
async function bundle(options) {
  const esbuild = await import('esbuild');
  return esbuild.build({
    bundle: true,
    format: 'esm',
    target: 'es2022',
    alias: { '#node-files': './node-files.js' },
    external: ['./node-files.js', './ternlight-extras.js'],
    platform: 'neutral',
    mainFields: ['module', 'main'],
    minify: true,
    legalComments: 'none',
    write: true,
    logLevel: 'warning',
    ...options,
  });
}

/** A worker's program as text, so that the one module can start it anywhere (blob, data, eval). */
async function workerText(entry, extra = {}) {
  const { outputFiles } = await bundle({ entryPoints: [entry], write: false, format: 'iife', ...extra });
  return outputFiles[0].text.trim();
}

/** Modules whose text is given here. */
function virtual(modules) {
  return {
    name: 'virtual',
    setup(build) {
      build.onResolve({ filter: /^#/ }, ({ path }) => (path in modules ? { path, namespace: 'virtual' } : undefined));
      build.onLoad({ filter: /.*/, namespace: 'virtual' }, ({ path }) => ({ contents: modules[path] }));
    },
  };
}

/** The command line uses the module beside it instead of holding a copy. */
const beside = {
  name: 'beside',
  setup(build) {
    // Its class of errors too: who catches one asks for the class.
    build.onResolve({ filter: /^\.\.?\/.*(index|errors)\.ts$/ }, ({ path, importer }) =>
      path.endsWith('/errors.ts') || (path === '../index.ts' && importer.includes('cli'))
        ? { path: './ternlight.js', external: true }
        : undefined,
    );
  },
};

/** The programs of workers as text. */
async function buildWorkers() {
  const poolWorker = await workerText('src/runtime/worker-main.ts');
  writeFileSync('build/workers.d.ts', 'export declare const poolWorker: string;\n');
  writeFileSync('build/workers.js', `export const poolWorker = ${JSON.stringify(poolWorker)};\n`);
}

/**
 * Private names as ordinary ones with a mark, which esbuild then shortens: a `#name` that has to be lowered becomes a WeakMap,
 * and one that is not lowered keeps its length. Nothing reads them from outside: the type checker has seen to that.
 */
const privateNames = {
  name: 'private-names',
  setup(build) {
    build.onLoad({ filter: /[/\\]src[/\\].*\.ts$/ }, ({ path }) => ({
      contents: readFileSync(path, 'utf8').replace(/(?<=[\s.!(*])#([a-z]\w*)/g, '_$1$'),
      loader: 'ts',
    }));
  },
};

/** Modules of which there has to be one, for the engine and the extras: the engine's. Files of src, what is used of them. */
const SHARED = { 'errors.ts': ['TernlightError'], 'runtime/profile-read.ts': ['measureRead'] };

/** In the extras: what the engine shares comes as an argument. */
const sharedParts = {
  name: 'shared-parts',
  setup(build) {
    build.onResolve({ filter: /\.ts$/ }, ({ path, resolveDir }) => {
      const file = relative(join(root, 'src'), join(resolveDir, path)).replaceAll('\\', '/');
      return file in SHARED ? { path: file, namespace: 'shared' } : undefined;
    });
    build.onLoad({ filter: /.*/, namespace: 'shared' }, ({ path }) => ({
      contents: `export const { ${SHARED[path].join(', ')} } = shared;`,
    }));
  },
};

/**
 * A program as a function that refers to nothing outside: bundled and lowered by itself first, so that whoever bundles it
 * again finds nothing to put a helper beside it for (the engine's text is a worker's program). Its fields are assignments,
 * because a field that has to be lowered needs a helper.
 */
async function asFunction(entry, name, parameter, plugins = []) {
  const { outputFiles } = await bundle({
    entryPoints: [entry],
    write: false,
    format: 'iife',
    globalName: 'parts',
    plugins: [...plugins, privateNames],
    mangleProps: /^_.*\$$/,
    tsconfigRaw: { compilerOptions: { target: 'es2022', useDefineForClassFields: false } },
  });
  return `export function ${name}(${parameter}) {\n${outputFiles[0].text.trim()}\nreturn parts;\n}\n`;
}

/**
 * Where the engine runs, a file beside its own cannot be named: it is given functions that import them. Where import() is
 * forbidden (service workers) the extras have been imported as a module, and have left themselves.
 */
const EXTRAS = 'ternlightExtras';
const given = {
  '#extras': `export const importExtras = async (shared) =>
    (globalThis.${EXTRAS} ?? (await importExtrasFile()).extras)(shared);`,
  '#node-files': `export const openPath = async (path) => (await importNodeFiles()).openPath(path);
    export const openFileStore = async () => (await importNodeFiles()).openFileStore();`,
};

async function buildBundles() {
  rmSync('dist', { recursive: true, force: true });
  mkdirSync('dist', { recursive: true });
  const engine = await asFunction('src/engine.ts', 'engine', 'importExtrasFile, importNodeFiles', [virtual(given)]);
  await bundle({
    entryPoints: ['src/index.ts'],
    outfile: 'dist/ternlight.js',
    plugins: [virtual({ '#engine': engine })],
    alias: { '#extras': './ternlight-extras.js', '#node-files': './node-files.js' },
  });
  const extras = await asFunction('src/extras.ts', 'extras', 'shared', [sharedParts]);
  const contents = `${extras}globalThis.${EXTRAS} = extras;`;
  await bundle({ stdin: { contents }, outfile: 'dist/ternlight-extras.js' });
  // A worker where none may be started from text. Its own program is the module's.
  writeFileSync('dist/ternlight-worker.js', "import { serveWorker } from './ternlight.js';\nserveWorker();\n");
  // Node's, Deno's and Bun's: what a page loads stays small.
  await bundle({ entryPoints: ['src/platform/node-files.ts'], outfile: 'dist/node-files.js', plugins: [beside] });
  await bundle({
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/cli.js',
    platform: 'node',
    plugins: [beside],
    banner: { js: '#!/usr/bin/env node' },
  });
  buildTypes();
}

/** The declarations that the public ones lead to. They name each other as sources do; readers of a package expect .js. */
function buildTypes() {
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  run(tsc, ['-p', 'tsconfig.types.json']);
  copyFileSync('src/kernels.d.ts', 'dist/types/src/kernels.d.ts'); // tsc emits no declarations for declarations
  const reached = new Set([join('dist', 'types', 'src', 'index.d.ts')]);
  for (const path of reached) {
    const text = readFileSync(path, 'utf8').replace(
      /(\b(?:from |import\()['"])(\.[^'"]+?)(?:\.d)?\.ts(?=['"])/g,
      (_, before, name) => {
        reached.add(join(dirname(path), `${name}.d.ts`));
        return `${before}${name}.js`;
      },
    );
    writeFileSync(path, text);
  }
  for (const file of readdirSync('dist/types', { recursive: true })) {
    const path = join('dist/types', file);
    if (path.endsWith('.d.ts') && !reached.has(path)) rmSync(path);
  }
  // What is imported for what it does alone: the extras, the worker.
  writeFileSync('dist/types/empty.d.ts', 'export {};\n');
}

await buildWasm();
await buildWorkers();
if (!process.argv.includes('--build')) await buildBundles();
