// What a pool's thread does. Instantiates the kernels over the shared memory it is sent and packs weights while there
// are any, a message for each; then sleeps in WebAssembly until a plan is to be walked. Runs in node:worker_threads and
// in web workers.
import { BARRIER_EPOCH, BARRIER_FAILED, COMMAND, COMMAND_PLAN, COMMAND_SLEEPERS } from '../../assembly/layout.ts';
import type { Kernels } from '../kernels.d.ts';
import { instantiate } from './instantiate.ts';
import { callKernel, type PoolMessage, type PoolStart, type PoolTask, QUIT } from './task.ts';
import { Walker } from './walk.ts';

interface Port {
  postMessage(message: unknown): void;
}

let kernels: Kernels;
let memory: WebAssembly.Memory;

async function start(message: PoolStart): Promise<true> {
  ({ memory } = message);
  kernels = await instantiate(message.modules, memory);
  return true;
}

function serve(task: PoolTask, port: Port): void {
  const walker = new Walker({ ...task, kernels, memory }, task.plans);
  const words = new Int32Array(memory.buffer, task.control);
  port.postMessage(true);
  for (let command = 1; ; command++) {
    kernels.awaitAtLeast(task.control + COMMAND, task.control + COMMAND_SLEEPERS, command, task.idleSpins);
    const plan = Atomics.load(words, COMMAND_PLAN >> 2);
    if (plan === QUIT) return;
    try {
      walker.walk(plan);
    } catch (error) {
      // The others wait at the barrier, where no message reaches them.
      Atomics.store(words, BARRIER_FAILED >> 2, task.thread);
      Atomics.notify(words, BARRIER_EPOCH >> 2);
      throw error;
    }
  }
}

/** Every message is answered by one: true, or whether the calls' results were good. */
async function hear(message: PoolMessage, port: Port): Promise<void> {
  if (message.kind === 'plans') serve(message, port);
  else port.postMessage(message.kind === 'start' ? await start(message) : callKernel(kernels, message));
}

/** Out of the promise: browsers tell a worker's owner of errors only, not of rejections. */
function fail(error: unknown): void {
  setTimeout(() => {
    throw error;
  });
}

/** Answers the messages of this worker's owner. */
export function servePool(): void {
  const node = (
    globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }
  ).process?.getBuiltinModule?.('node:worker_threads') as
    | { parentPort: (Port & { on(event: 'message', listener: (message: PoolMessage) => void): void }) | null }
    | undefined;
  if (node?.parentPort) {
    const { parentPort } = node;
    parentPort.on('message', (message) => hear(message, parentPort).catch(fail));
  } else {
    const scope = globalThis as unknown as Port & { onmessage: (event: { data: PoolMessage }) => void };
    scope.onmessage = ({ data }) => hear(data, scope).catch(fail);
  }
}
