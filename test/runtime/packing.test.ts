// Weights from a source into packed memory: by whichever thread, in whichever order pieces are done, and what happens when
// something breaks midway.
import { afterEach, describe, expect, it } from 'vitest';
import { f16 } from '../../src/formats/encodings/f16.ts';
import { i2s } from '../../src/formats/encodings/i2s.ts';
import { tq2 } from '../../src/formats/encodings/tq2.ts';
import { bytesSource, streamSource } from '../../src/formats/source.ts';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import type { ByteSource, Encoding, ModelFile, TensorInfo } from '../../src/formats/types.ts';
import { packagedModel } from '../../src/index.ts';
import { loadModel } from '../../src/load.ts';
import { openModel } from '../../src/open.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import type { Platform } from '../../src/platform/platform.ts';
import { Layout } from '../../src/runtime/arena.ts';
import { Engine } from '../../src/runtime/engine.ts';
import { packAll } from '../../src/runtime/pack.ts';
import { Packers } from '../../src/runtime/packers.ts';
import { packingJobs } from '../../src/runtime/packing.ts';
import { planStaging, Staging } from '../../src/runtime/staging.ts';
import { TensorReader } from '../../src/runtime/tensor-reader.ts';
import { chooseVariant } from '../../src/runtime/variant.ts';
import { type LoadOptions, understand } from '../../src/understand.ts';
import { countingSource } from '../formats/counting-source.ts';
import { sameBits } from '../kernels/compare.ts';
import { instantiate } from '../kernels/variants.ts';
import { f16ToF64, f64ToF16 } from '../ref/f16.ts';
import { packH16, packV32, quantizeRows } from '../ref/packing.ts';
import { Random } from '../ref/random.ts';

const platform = nodePlatform();
const opened: Engine[] = [];
afterEach(() => {
  for (const engine of opened.splice(0)) engine.dispose();
});

/** The weights of a file as they lie in an engine's memory. */
async function packed(file: ModelFile, threads: number, options: LoadOptions = {}): Promise<Uint8Array> {
  const { options: sizes, ...understood } = understand(file, { contextLength: 64, ...options });
  const variant = await chooseVariant(threads > 1);
  const engine = await Engine.create({ ...understood, ...sizes, platform, file, variant, threads });
  opened.push(engine);
  const first = Math.min(...[...engine.weights.values()].map(({ address }) => address));
  return new Uint8Array(engine.memory.buffer, first, engine.weightsBytes).slice();
}

/** The file with encodings that only JavaScript can decode. */
function decodedInJs(file: ModelFile): ModelFile {
  const without = (encoding: Encoding): Encoding =>
    encoding.family === 'ternary'
      ? { ...encoding, planes: undefined }
      : encoding === f16
        ? { ...encoding, name: 'numbers of 16 bits' }
        : encoding;
  return { ...file, tensors: file.tensors.map((info) => ({ ...info, encoding: without(info.encoding) })) };
}

describe('packed weights', () => {
  it.each([
    ['I2_S', {}],
    ['I2_S', { i2sLayout: 'arm' }],
    ['TQ2_0', {}],
    ['TQ1_0', {}],
    ['Q2_0', {}],
    ['Q1_0', {}],
  ] as const)(
    'of %s %j are the same from 1 and 3 threads, from the kernel and from JavaScript',
    async (encoding, options) => {
      const source = syntheticModel('trilm-99m', { encoding });
      const { file } = await openModel(source, platform, options);
      const one = await packed(file, 1, options);
      expect(one.some((byte) => byte !== 0)).toBe(true);
      expect(Buffer.compare(await packed(file, 3, options), one)).toBe(0);
      expect(Buffer.compare(await packed(decodedInJs(file), 1, options), one)).toBe(0);
    },
  );

  it('are the same from a path, which is read in place, and from bytes', async () => {
    const path = await openModel(packagedModel, platform);
    expect(path.file.source.readInto).toBeDefined();
    const bytes = await path.file.source.read(0, path.file.source.byteLength!);
    const other = await openModel(bytes, platform);
    for (const threads of [1, 2])
      expect(Buffer.compare(await packed(path.file, threads), await packed(other.file, threads))).toBe(0);
    await path.close();
  });
});

/** A tensor alone in a file, packed in the build `simd`. */
async function packAlone(info: Omit<TensorInfo, 'offsetBytes' | 'lengthBytes'>, data: Uint8Array) {
  const { kernels, memory } = instantiate('simd');
  const tensor = { ...info, offsetBytes: 0, lengthBytes: data.length };
  const role = info.encoding.family === 'dense' ? 'embedding' : 'matrix';
  const jobs = packingJobs({ tensors: [tensor] } as unknown as ModelFile, [{ ...tensor, role } as never], 'int8');
  const layout = new Layout(kernels.heapBase());
  const plan = planStaging(jobs, 1);
  const staging = new Staging(layout.allocate('staging', plan.bytes), plan);
  const reader = new TensorReader(bytesSource(data), jobs, { memory, staging });
  const packers = new Packers(kernels, undefined);
  const weight = (await packAll({ reader, memory, kernels, layout, staging, packers }, jobs)).get(info.name)!;
  return { weight, memory };
}

describe('a tensor of several pieces whose last block of rows is not full', () => {
  const rows = 4100;
  const padded = 4128;
  it.each([
    ['I2_S', i2s, 2304],
    ['TQ2_0', tq2, 2304],
    // Not whole blocks of a row.
    ['I2_S', i2s, 2272],
  ] as const)('of %s', async (_, encoding, cols) => {
    const weights = new Random(rows).weights(rows * cols);
    const codes = Uint8Array.from(weights, (w) => w + 1);
    const elems = rows * cols;
    const trailer = encoding.encodeTrailer?.(0.5) ?? new Uint8Array(0);
    const dataBytes = (elems / encoding.blockElems) * encoding.blockBytes;
    const data = new Uint8Array(dataBytes + trailer.length);
    encoding.encode!(codes, new Float32Array(elems / 256).fill(0.5), elems, data.subarray(0, dataBytes));
    data.set(trailer, dataBytes);
    const { weight, memory } = await packAlone({ name: 'a', dims: [cols, rows], encoding }, data);
    const all = new Int8Array(padded * cols);
    all.set(weights);
    const bytes = new Uint8Array(memory.buffer, weight.address, (padded * cols) / 4).slice();
    sameBits(bytes, packV32(all, padded, cols), 'packed');
    if (weight.kind !== 'ternary') throw new Error(weight.kind);
    expect(new Set(new Float32Array(memory.buffer, weight.scales, rows))).toEqual(new Set([0.5]));
  });

  it('of F16', async () => {
    const [count, all, cols] = [1500, 1504, 512];
    const halves = new Uint16Array(all * cols);
    halves.set(Uint16Array.from(new Random(3).f32(count * cols, 2), f64ToF16));
    const data = new Uint8Array(halves.buffer, 0, 2 * count * cols);
    const { weight, memory } = await packAlone({ name: 'a', dims: [cols, count], encoding: f16 }, data);
    const want = quantizeRows(Float32Array.from(halves, f16ToF64), all, cols);
    const bytes = new Uint8Array(memory.buffer, weight.address, all * cols).slice();
    sameBits(bytes, packH16(want.weights, all, cols), 'packed');
    if (weight.kind !== 'i8row') throw new Error(weight.kind);
    sameBits(new Float32Array(memory.buffer, weight.scales, all), want.scales, 'scales');
  });
});

describe('reading', () => {
  it('is ahead of packing, in rising order and never beside what is packed', async () => {
    const { file } = await openModel(syntheticModel('trilm-99m'), platform);
    const counting = countingSource(file.source);
    let atFirst = 0;
    const { options: sizes, ...understood } = understand(file, {});
    const setup = { ...understood, ...sizes, platform, file: { ...file, source: counting }, threads: 1 };
    const onProgress = () => {
      atFirst ||= counting.reads.length;
    };
    opened.push(await Engine.create({ ...setup, variant: await chooseVariant(false), onProgress }));
    expect(atFirst).toBe(2);
    const offsets = counting.reads.map(({ offsetBytes }) => offsetBytes);
    expect(offsets).toEqual(offsets.toSorted((a, b) => a - b));
    expect(counting.readBytes).toBe(file.tensors.reduce((n, t) => n + t.lengthBytes, 0));
    expect(Math.max(...counting.reads.map(({ lengthBytes }) => lengthBytes))).toBeLessThanOrEqual(2 ** 20);
  });

  it('tells how far it is, up to all bytes', async () => {
    const { file } = await openModel(syntheticModel('trilm-99m'), platform);
    const seen: number[] = [];
    const { options: sizes, ...understood } = understand(file, {});
    const setup = { ...understood, ...sizes, platform, file, threads: 2, variant: await chooseVariant(true) };
    let total = 0;
    const onProgress = (loaded: number, of: number) => {
      total = of;
      seen.push(loaded);
    };
    opened.push(await Engine.create({ ...setup, onProgress }));
    expect(seen).toEqual(seen.toSorted((a, b) => a - b));
    expect(seen.at(-1)).toBe(total);
  });
});

/** The platform with every worker that it starts; `change` may spoil a worker's program. */
function watched(change: (text: string) => string = (text) => text) {
  const running = new Set<object>();
  const watching: Platform = {
    ...platform,
    async spawn(role, text) {
      const worker = await platform.spawn(role, change(text));
      running.add(worker);
      const terminate = () => {
        running.delete(worker);
        worker.terminate();
      };
      return { ...worker, terminate };
    },
  };
  return { running, watching };
}

async function failure(source: ByteSource, options: LoadOptions, change?: (text: string) => string) {
  const { running, watching } = watched(change);
  const error = await loadModel(source, { threads: 3, ...options }, watching).then(
    () => undefined,
    (e: Error & { code?: string }) => e,
  );
  expect(error, 'it loaded').toBeDefined();
  expect(running.size, 'workers that still run').toBe(0);
  return error!;
}

/** A synthetic model whose bytes from `at` on are given over to `spoil`. */
function spoiled(spoil: (bytes: Uint8Array, offset: number) => void): ByteSource {
  const source = syntheticModel('trilm-99m');
  const read: ByteSource['read'] = async (offset, length, signal) => {
    const bytes = await source.read(offset, length, signal);
    spoil(bytes, offset);
    return bytes;
  };
  return { ...source, read };
}

describe('with threads, midway', () => {
  it('a source that breaks is its error', async () => {
    const source = spoiled((_, offset) => {
      if (offset > 3e7) throw new Error('the cable is out');
    });
    expect((await failure(source, {})).message).toBe('the cable is out');
  });

  it('a stream that ends is an error', async () => {
    const source = syntheticModel('trilm-99m');
    const half = await source.read(0, 3e7);
    const stream = streamSource(new Blob([half as Uint8Array<ArrayBuffer>]).stream());
    expect((await failure(stream, {})).message).toMatch(/ends|cut short/);
  });

  it('a signal ends it with its reason', async () => {
    const controller = new AbortController();
    const onProgress: LoadOptions['onProgress'] = ({ loadedBytes }) =>
      loadedBytes > 2e7 && controller.abort(new Error('enough'));
    const error = await failure(syntheticModel('trilm-99m'), { signal: controller.signal, onProgress });
    expect(error.message).toBe('enough');
  });

  it.each([1, 3])('a timer may abort it, of a source that never waits too, %i threads', async (threads) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(new Error('too slow')), 1);
    const error = await failure(syntheticModel('trilm-99m'), { threads, signal: controller.signal });
    expect(error.message).toBe('too slow');
  });

  it.each(['blk.3.ffn_up.weight', 'token_embd.weight'])('%s is named when it is damaged', async (name) => {
    const { file } = await openModel(syntheticModel('trilm-99m'), platform);
    const tensor = file.tensors.find((t) => t.name === name)!;
    const bad = tensor.offsetBytes + 2 * 66 * 512 + 1; // a code, or the high byte of a number
    const source = spoiled((bytes, offset) => {
      if (offset <= bad && bad < offset + bytes.length) bytes[bad - offset] = 0x7f;
    });
    const error = await failure(source, {});
    expect(error.code).toBe('invalid-file');
    expect(error.message).toMatch(name === 'token_embd.weight' ? /finite numbers/ : /a code 3, expected 0, 1 or 2/);
    expect(error.message).toContain(name);
  });

  it('a worker that cannot start, or dies while it packs, is an error', async () => {
    const source = () => syntheticModel('trilm-99m');
    const started = await failure(source(), {}, () => 'throw new Error("no room")');
    expect(started.code).toBe('environment');
    expect(started.message).toMatch(/a worker could not be started .*no room/);
    const dies =
      'let n = 0; require("node:worker_threads").parentPort.on("message", () => { if (++n > 9) throw "luck"; });';
    const died = await failure(source(), {}, (text) => text + dies);
    expect(died.code).toBe('environment');
    expect(died.message).toMatch(/a worker died/);
  });
});
