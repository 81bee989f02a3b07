// Builds examples/playground into its dist/, which is all that a host needs, and serves that on the loopback interface.
//   node scripts/playground.mjs            with the headers of cross-origin isolation, at http://127.0.0.1:8014/
//     --plain      without them: the service worker adds them after the first visit
//     --port N     another port; 0 is any that is free
//     --build      only builds
// Needs the package's own dist/ (npm run build).
import { spawnSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import { cpSync, mkdirSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join, relative } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { parseArgs } from 'node:util';
import { serveFolder } from './serve-folder.mjs';

const root = dirname(dirname(fileURLToPath(import.meta.url)));
const from = join(root, 'examples/playground');
const built = join(from, 'dist');

/** What of the package a page needs; paths as they are in it: ternlight.js looks for the others beside itself. */
const PACKAGE = [
  ...['dist/ternlight.js', 'dist/ternlight-extras.js', 'dist/ternlight-worker.js'],
  'model/tinystories-bitnet-11m.gguf',
];

/** The page imports the module as a file of its own, as pages without a bundler do. */
const ternlightBeside = {
  name: 'ternlight-beside',
  setup(build) {
    build.onResolve({ filter: /^ternlight$/ }, () => ({ path: './ternlight/dist/ternlight.js', external: true }));
  },
};

/** Published models: the command line's own list, less those whose file has to be named by hand. */
function publishedModels() {
  const cli = join(root, 'dist/cli.js');
  const { status, stdout, stderr } = spawnSync(process.execPath, [cli, 'models', '--json'], { encoding: 'utf8' });
  if (status !== 0) throw new Error(`ternlight models --json failed with status ${status}: ${stderr}`);
  const listed = JSON.parse(stdout).filter(({ source }) => !source.endsWith('/FILE'));
  return listed.map(({ name, source, bytes, bytesAreExact, parameters, encoding, licence, chat, memory }) => ({
    ...{ name, source, bytes, bytesAreExact, parameters, encoding, licence, chat },
    memory: { totalBytes: memory.totalBytes },
  }));
}

/** [path, SHA-256] of every file; the page itself is '', which is how it is asked for. */
function contents(to) {
  const paths = readdirSync(to, { recursive: true }).filter((path) => statSync(join(to, path)).isFile());
  return paths.sort().map((path) => {
    const name = path === 'index.html' ? '' : path.replaceAll('\\', '/');
    return [
      name,
      createHash('sha256')
        .update(readFileSync(join(to, path)))
        .digest('hex'),
    ];
  });
}

/** Builds into the folder `to`, which is made anew. */
export async function buildPlayground(to = built) {
  const esbuild = await import('esbuild');
  /** @param {import('esbuild').BuildOptions} options */
  const bundle = (options) =>
    esbuild.build({ bundle: true, minify: true, legalComments: 'none', logLevel: 'warning', ...options });
  rmSync(to, { recursive: true, force: true });
  mkdirSync(to, { recursive: true });
  for (const name of ['index.html', 'manifest.webmanifest', 'icons'])
    cpSync(join(from, name), join(to, name), { recursive: true });
  for (const path of PACKAGE) cpSync(join(root, path), join(to, 'ternlight', path));
  writeFileSync(join(to, 'models.json'), JSON.stringify(publishedModels()));
  await bundle({
    entryPoints: [join(from, 'src/main.ts')],
    outfile: join(to, 'playground.js'),
    format: 'esm',
    target: 'es2022',
    plugins: [ternlightBeside],
  });
  await bundle({ entryPoints: [join(from, 'style/playground.css')], outfile: join(to, 'playground.css') });
  const files = contents(to);
  // Last: it knows what is in all the others.
  await bundle({
    entryPoints: [join(from, 'service-worker/service-worker.ts')],
    outfile: join(to, 'service-worker.js'),
    format: 'iife',
    target: 'es2022',
    define: { FILES: JSON.stringify(files) },
  });
}

async function main() {
  const { values } = parseArgs({
    options: {
      plain: { type: 'boolean', default: false },
      port: { type: 'string', default: '8014' },
      build: { type: 'boolean', default: false },
    },
  });
  const port = Number(values.port);
  if (!Number.isInteger(port) || port < 0 || port > 65535)
    throw new Error(`--port: got ${values.port}, expected a number from 0 to 65535`);
  await buildPlayground();
  console.log(`built ${relative(process.cwd(), built)}`);
  if (values.build) return;
  const { origin } = await serveFolder(built, { isolated: !values.plain, port });
  console.log(`${origin}/ ${values.plain ? 'without' : 'with'} the headers of cross-origin isolation; Ctrl+C ends it`);
}

if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) await main();
