// Node, Deno and Bun. Builtin modules are taken from the process at run time: no bundler sees an import of them.
import { openFileStore, openPath } from '#node-files';
import type { Platform, Role, WorkerHandle } from './platform.ts';

interface RuntimeGlobals {
  process?: NodeJS.Process;
  Deno?: { version: { deno: string } };
  Bun?: { version: string };
}

export function isNodeLike(): boolean {
  const { process } = globalThis as RuntimeGlobals;
  return typeof process?.versions?.node === 'string' && typeof process.getBuiltinModule === 'function';
}

function runtimeName(): string {
  const { Deno, Bun, process } = globalThis as RuntimeGlobals;
  if (Deno) return `Deno ${Deno.version.deno}`;
  if (Bun) return `Bun ${Bun.version}`;
  return `Node ${process!.versions.node}`;
}

async function spawn(_role: Role, text: string): Promise<WorkerHandle> {
  const { Worker } = process.getBuiltinModule('node:worker_threads');
  const worker = new Worker(text, { eval: true });
  let ended = false;
  return {
    from: 'text',
    post: (message, transfer) => worker.postMessage(message, transfer as never),
    onMessage: (listener) => worker.on('message', listener),
    onError: (listener) => {
      const end = (error: Error) => {
        if (!ended) listener(error);
        ended = true;
      };
      worker.once('error', end);
      worker.once('exit', (code) => end(new Error(`it ended with code ${code}`)));
    },
    background: () => worker.unref(),
    terminate: () => {
      ended = true;
      void worker.terminate();
    },
  };
}

/** Node 24 and later: an older V8 would print that it does not know the flag, and go on. */
function knowsRevectorizer(): boolean {
  const { Bun, Deno } = globalThis as RuntimeGlobals;
  return !Bun && !Deno && Number.parseInt(process.versions.v8, 10) >= 13;
}

/** A flag of the process, and an experiment of V8's: hence an option. */
function revectorize(): void {
  process.getBuiltinModule('node:v8').setFlagsFromString('--experimental-wasm-revectorize');
}

export function nodePlatform(): Platform {
  const os = process.getBuiltinModule('node:os');
  return {
    runtime: runtimeName(),
    hub: process.env.TERNLIGHT_HUB,
    cores: os.availableParallelism?.() ?? os.cpus().length,
    mayBlock: true,
    ...(knowsRevectorizer() && { revectorize }),
    spawn,
    openPath,
    openStore: openFileStore,
  };
}
