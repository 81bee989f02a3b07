// Builds everything that ships: four WebAssembly variants, the kernels' types, and the bundles in dist/.
//   node scripts/build.mjs            all
//   node scripts/build.mjs --build    only build/: the WebAssembly and the workers' programs, which tests of sources use
import { spawnSync } from 'node:child_process';
import { copyFileSync, existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
process.chdir(root);
const require = createRequire(import.meta.url);
const VARIANTS = ['simd', 'relaxed', 'simd-threads', 'relaxed-threads'];

function run(file, args) {
  const { status } = spawnSync(process.execPath, [file, ...args], { stdio: ['ignore', 'inherit', 'inherit'] });
  if (status !== 0) throw new Error(`${file} ${args.join(' ')} failed with status ${status}`);
}

/** One kernel source, four feature sets: asconfig.json names them. */
function buildWasm() {
  mkdirSync('build', { recursive: true });
  const asc = join(dirname(require.resolve('assemblyscript/package.json')), 'bin', 'asc.js');
  for (const variant of VARIANTS) run(asc, ['--config', 'asconfig.json', '--target', variant]);
  writeIfChanged('src/kernels.d.ts', kernelTypes(readFileSync('build/simd.d.ts', 'utf8')));
  const base64 = VARIANTS.map((v) => `  '${v}': '${readFileSync(`build/${v}.wasm`).toString('base64')}',`);
  writeFileSync('build/wasm.js', `export const wasmBase64 = {\n${base64.join('\n')}\n};\n`);
  const keys = VARIANTS.map((v) => `  readonly '${v}': string;`);
  writeFileSync('build/wasm.d.ts', `export declare const wasmBase64: {\n${keys.join('\n')}\n};\n`);
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
    build.onResolve({ filter: /\/index\.ts$/ }, ({ path, importer }) =>
      path === '../index.ts' && importer.includes('cli') ? { path: './ternlight.js', external: true } : undefined,
    );
  },
};

/** The programs of workers as text. */
async function buildWorkers() {
  const poolWorker = await workerText('src/runtime/worker.ts');
  const declare = (names) => names.map((n) => `export declare const ${n}: string;\n`).join('');
  const define = (o) =>
    Object.entries(o)
      .map(([n, text]) => `export const ${n} = ${JSON.stringify(text)};\n`)
      .join('');
  writeFileSync('build/workers.d.ts', declare(['poolWorker', 'engineWorker']));
  // The engine's worker holds the library without the WebAssembly, which the page sends it: nothing is in the file twice.
  const inWorker = { '#wasm': 'export const wasmBase64 = {};', '#workers': define({ poolWorker, engineWorker: '' }) };
  const engineWorker = await workerText('src/remote/server.ts', { plugins: [virtual(inWorker)] });
  writeFileSync('build/workers.js', define({ poolWorker, engineWorker }));
}

async function buildBundles() {
  rmSync('dist', { recursive: true, force: true });
  mkdirSync('dist', { recursive: true });
  await bundle({ entryPoints: ['src/index.ts'], outfile: 'dist/ternlight.js' });
  await bundle({
    entryPoints: ['src/cli/main.ts'],
    outfile: 'dist/cli.js',
    platform: 'node',
    plugins: [beside],
    banner: { js: '#!/usr/bin/env node' },
  });
  const tsc = join(dirname(require.resolve('typescript/package.json')), 'bin', 'tsc');
  run(tsc, ['-p', 'tsconfig.types.json']);
  copyFileSync('src/kernels.d.ts', 'dist/types/src/kernels.d.ts'); // tsc emits no declarations for declarations
  // Declarations name each other as they name the sources; readers of a package expect .js.
  for (const file of readdirSync('dist/types', { recursive: true })) {
    const path = join('dist/types', file);
    if (path.endsWith('.d.ts'))
      writeFileSync(path, readFileSync(path, 'utf8').replace(/((?:from|import\() ?'\.[^']+?)(?:\.d)?\.ts'/g, "$1.js'"));
  }
}

buildWasm();
await buildWorkers();
if (!process.argv.includes('--build')) await buildBundles();
