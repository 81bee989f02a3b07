// From compiled modules to kernels: what the engine and the threads of its pool do alike.
import { TernlightError } from '../errors.ts';
import type { Kernels } from '../kernels.d.ts';

/** The kernels of a build's modules over a memory; a later module's take the place of an earlier one's. */
export async function instantiate(
  modules: readonly WebAssembly.Module[],
  memory: WebAssembly.Memory,
): Promise<Kernels> {
  const instances = await Promise.all(
    modules.map((module) => WebAssembly.instantiate(module, { env: { memory, abort } })),
  );
  return Object.assign({}, ...instances.map(({ exports }) => exports)) as Kernels;
}

function abort(): never {
  throw new TernlightError('internal', 'kernel: abort');
}
