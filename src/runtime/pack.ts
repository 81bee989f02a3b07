// Streams a file's tensors into packed weights, in file order: no tensor is ever whole in a JavaScript buffer.
import { COLS_ALIGN } from '../../assembly/layout.ts';
import { TernlightError } from '../errors.ts';
import type { Kernels } from '../kernels.d.ts';
import { roundUp, type Weight } from '../plan/weights.ts';
import type { Layout } from './arena.ts';
import { packBinary } from './pack-binary.ts';
import { packFloats, packI8Blocks, packI8Rows } from './pack-dense.ts';
import { multiplyScales, packTernary } from './pack-ternary.ts';
import type { Packers } from './packers.ts';
import type { PackingJob } from './packing.ts';
import type { Staging } from './staging.ts';
import { checkScale, type TensorReader } from './tensor-reader.ts';

/** Where packed weights go, and what they are packed with. */
export interface PackTarget {
  readonly reader: TensorReader;
  readonly memory: WebAssembly.Memory;
  readonly kernels: Kernels;
  readonly layout: Layout;
  readonly staging: Staging;
  readonly packers: Packers;
}

/** Packs all, in the order in which the reader reads; separate scales are multiplied in when both they and their matrix are there. */
export async function packAll(target: PackTarget, jobs: readonly PackingJob[]): Promise<Map<string, Weight>> {
  const weights = new Map<string, Weight>();
  const factors: [name: string, factor: number][] = [];
  for (const job of jobs) {
    if (job.spec.role === 'scale')
      factors.push([job.info.name.replace(/\.scale$/, '.weight'), await separateScale(target, job)]);
    else weights.set(job.info.name, await packOne(target, job));
  }
  await target.reader.settle();
  for (const [name, factor] of factors) {
    const weight = weights.get(name);
    if (weight?.kind !== 'ternary')
      throw new TernlightError('unsupported', `model: ${name} is not ternary and has a separate scale of ${factor}`);
    multiplyScales(target.memory, weight, factor);
  }
  return weights;
}

async function separateScale({ reader }: PackTarget, { info }: PackingJob): Promise<number> {
  if (info.encoding.family !== 'dense')
    throw new TernlightError('invalid-file', `model: ${info.name} is ${info.encoding.name}, expected a number`);
  const [value] = await reader.vector(info, info.encoding, 1);
  checkScale(info, value!);
  return value!;
}

async function packOne(target: PackTarget, { info, spec, kind, weightBytes, scaleBytes }: PackingJob): Promise<Weight> {
  const { layout, memory, reader } = target;
  const [cols = 1, rows = 1] = spec.dims;
  const bytes = weightBytes + scaleBytes;
  const address = layout.allocate(info.name, weightBytes);
  const base = { name: info.name, rows, cols, address, bytes };
  const { encoding } = info;
  const allocateScales = () => layout.allocate(`${info.name} scales`, scaleBytes);
  if (kind === 'ternary' && encoding.family === 'ternary')
    return { kind, ...base, ...(await packTernary(target, info, encoding, rows, cols, address)) };
  if (kind === 'binary' && encoding.family === 'binary')
    return { kind, ...base, ...(await packBinary(target, info, encoding, rows, cols, address)) };
  if (encoding.family === 'dense') {
    if (kind === 'vector') {
      new Float32Array(memory.buffer, address, cols).set(await reader.vector(info, encoding, cols));
      return { kind, name: info.name, length: cols, address, bytes };
    }
    if (kind === 'i8block') {
      const scales = allocateScales();
      await packI8Blocks(target, info, encoding, cols, address, scales);
      return { kind, ...base, scales, blockCols: encoding.i8ScaleElems! };
    }
    if (kind === 'i8row') {
      const scales = allocateScales();
      await packI8Rows(target, info, encoding, cols, { address, scales });
      return { kind, ...base, scales, paddedCols: roundUp(cols, COLS_ALIGN) };
    }
    if (kind === 'i8planes') {
      const scales = allocateScales();
      const low = address + weightBytes / 2;
      await packI8Rows(target, info, encoding, cols, { address, low, scales });
      return { kind, ...base, low, scales, paddedCols: roundUp(cols, COLS_ALIGN) };
    }
    if (kind === 'f16' || kind === 'f32') {
      await packFloats(target, info, encoding, cols, kind, address);
      return { kind, ...base };
    }
  }
  throw new TernlightError('internal', `pack: ${info.name} of ${encoding.name} as ${kind}`);
}
