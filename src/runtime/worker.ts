// The program of a pool's thread. Instantiates the kernels over the shared memory it is sent, then sleeps in WebAssembly
// until a plan is to be walked. Runs as a classic script in node:worker_threads and in web workers.
import { COMMAND, COMMAND_PLAN, COMMAND_SLEEPERS } from '../../assembly/layout.ts';
import { instantiate } from './instantiate.ts';
import { type PoolTask, QUIT } from './task.ts';
import { Walker } from './walk.ts';

interface Port {
  postMessage(message: unknown): void;
}

async function serve(task: PoolTask, port: Port): Promise<void> {
  const kernels = await instantiate(task.modules, task.memory);
  const walker = new Walker({ ...task, kernels }, task.plans);
  const words = new Int32Array(task.memory.buffer, task.control);
  port.postMessage('ready');
  for (let command = 1; ; command++) {
    kernels.awaitAtLeast(task.control + COMMAND, task.control + COMMAND_SLEEPERS, command, task.idleSpins);
    const plan = Atomics.load(words, COMMAND_PLAN >> 2);
    if (plan === QUIT) return;
    walker.walk(plan);
  }
}

function main(): void {
  const node = (
    globalThis as { process?: { getBuiltinModule?: (name: string) => unknown } }
  ).process?.getBuiltinModule?.('node:worker_threads') as
    | { parentPort: (Port & { once(event: 'message', listener: (task: PoolTask) => void): void }) | null }
    | undefined;
  if (node?.parentPort) {
    const { parentPort } = node;
    parentPort.once('message', (task) => void serve(task, parentPort));
  } else {
    const scope = globalThis as unknown as Port & { onmessage: (event: { data: PoolTask }) => void };
    scope.onmessage = ({ data }) => void serve(data, scope);
  }
}

main();
