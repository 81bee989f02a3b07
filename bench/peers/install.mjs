// The peers' packages and model files, in a folder outside the repository: nothing of theirs is a dependency of ours.
import { spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const cache = join(tmpdir(), 'ternlight-peers');

/** Versions are fixed, so that figures of different days compare. */
const LLAMA = '3.22.1';
const WLLAMA = '3.8.1';

const windows = process.platform === 'win32';

/** The package with the native binary for this machine: the plain CPU build where there is a choice. */
function binaryPackage() {
  const system = { linux: 'linux', darwin: 'mac', win32: 'win' }[process.platform];
  const metal = process.platform === 'darwin' && process.arch === 'arm64' ? '-metal' : '';
  return `@node-llama-cpp/${system}-${process.arch}${metal}`;
}

const packagesOf = {
  llama: () => ({ 'node-llama-cpp': LLAMA, [binaryPackage()]: LLAMA }),
  wllama: () => ({ '@wllama/wllama': WLLAMA }),
};

export const peerNames = Object.keys(packagesOf);

function installed(name) {
  const file = join(cache, 'node_modules', name, 'package.json');
  return existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')).version : undefined;
}

/** Installs what is missing, without install scripts; gives the versions by package. */
export function install(peers) {
  const wanted = Object.assign({}, ...peers.map((peer) => packagesOf[peer]()));
  if (Object.entries(wanted).some(([name, version]) => installed(name) !== version)) npmInstall();
  return wanted;
}

// Always all of them: npm removes what it is not asked for.
function npmInstall() {
  const all = Object.assign({}, ...Object.values(packagesOf).map((packages) => packages()));
  mkdirSync(cache, { recursive: true });
  writeFileSync(join(cache, 'package.json'), '{ "private": true }\n');
  const names = Object.entries(all).map(([name, version]) => `${name}@${version}`);
  process.stderr.write(`installing ${names.join(', ')} in ${cache}\n`);
  // Optional dependencies are the binaries for CUDA and Vulkan, hundreds of MB; the peer dependency is a compiler.
  const flags =
    '--ignore-scripts --omit=optional --legacy-peer-deps --no-save --no-audit --no-fund --fetch-retries=1 --loglevel=error';
  const { status, error, stderr } = spawnSync(windows ? 'npm.cmd' : 'npm', ['install', ...flags.split(' '), ...names], {
    cwd: cache,
    shell: windows,
    encoding: 'utf8',
    stdio: ['ignore', 'ignore', 'pipe'],
    // `npm run` hands our own package's settings down.
    env: Object.fromEntries(
      Object.entries(process.env).filter(([key]) => !/^npm_(package|lifecycle|config_local)/.test(key)),
    ),
  });
  if (status === 0) return;
  // A stack follows.
  const reason = error?.message ?? stderr.split(/\n[^\n]* at /)[0].trim();
  throw new Error(
    `peers: npm could not install ${names.join(', ')}: ${reason}\n` +
      `The first run needs the npm registry; later ones use ${cache}. Is this machine offline?`,
  );
}
