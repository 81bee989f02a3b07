// Models whose memory is near a limit. Memory is reserved, and pages are taken when they are written: a long context of a
// small model comes near 4 GiB without them.
import { afterEach, describe, expect, it, vi } from 'vitest';
import { syntheticModel } from '../../src/formats/synthetic.ts';
import { inspect, load } from '../../src/index.ts';
import { loadModel } from '../../src/load.ts';
import type { ModelSource } from '../../src/open.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import type { LoadOptions } from '../../src/understand.ts';

const LIMIT = 65535 * 65536;
const TINY = 'synthetic:tiny';

async function refusal(source: ModelSource, options: LoadOptions, memoryBytes?: number): Promise<string> {
  const error = await loadModel(source, options, { ...nodePlatform(), memoryBytes }).then(
    (model) => model.dispose(),
    (error) => error,
  );
  expect(error).toMatchObject({ name: 'TernlightError', code: 'environment' });
  return error.message;
}

async function ids(options: LoadOptions): Promise<{ ids: number[]; totalBytes: number }> {
  const model = await load(TINY, options);
  try {
    const { ids } = await model.generate([1, 2, 3, 4, 5], { temperature: 0, maxTokens: 20 }).summary();
    return { ids, totalBytes: model.info.memory.totalBytes };
  } finally {
    await model.dispose();
  }
}

afterEach(() => vi.unstubAllGlobals());

describe('a model near 4 GiB', () => {
  for (const threads of [1, 2])
    it(`is loaded below it, and is refused above it, with ${threads} thread(s)`, async () => {
      const options = { threads, sessions: 1, kv: 'f16' } as const;
      const text = await refusal(TINY, { ...options, contextLength: 2 ** 23 });
      const [, most] = /; contextLength (\d+) /.exec(text)!;
      const contextLength = Number(most);
      const before = process.memoryUsage().rss;
      const near = await ids({ ...options, contextLength });
      expect(near.totalBytes).toBeGreaterThan(0.999 * LIMIT);
      expect(near.totalBytes).toBeLessThanOrEqual(LIMIT);
      expect(near.ids).toEqual((await ids({ ...options, contextLength: 64 })).ids);
      expect(process.memoryUsage().rss - before).toBeLessThan(500e6);
      expect(await refusal(TINY, { ...options, contextLength: contextLength + 64 })).toContain(
        `expected at most the 4295 MB that 32-bit WebAssembly can have; contextLength ${contextLength} or `,
      );
    });
});

describe('a model that needs too much', () => {
  it('is refused with need, limit and what fits, before its weights are read', async () => {
    const source = syntheticModel('llama3-8b-1.58');
    let readTo = 0;
    const counting = {
      ...source,
      read: (offset: number, length: number, signal?: AbortSignal) => {
        readTo = Math.max(readTo, offset + length);
        return source.read(offset, length, signal);
      },
    };
    const options = { threads: 2, sessions: 1 };
    expect(await refusal(counting, { ...options, contextLength: 2 ** 15 })).toBe(
      'memory: the model with contextLength 32768, kv "f16", sessions 1 and threads 2 needs 7137 MB, expected at most the ' +
        '4295 MB that 32-bit WebAssembly can have; contextLength 11072 or kv "i4" fits',
    );
    expect(readTo).toBeLessThan(source.byteLength! / 100);
    // It is as was told.
    const need = async (contextLength: number, kv: LoadOptions['kv']) =>
      (await inspect('synthetic:llama3-8b-1.58', { ...options, contextLength, kv })).memory!.totalBytes;
    expect(await need(11072, 'f16')).toBeLessThanOrEqual(LIMIT);
    expect(await need(11072 + 64, 'f16')).toBeGreaterThan(LIMIT);
    expect(await need(2 ** 15, 'i4')).toBeLessThanOrEqual(LIMIT);
    expect(await need(2 ** 15, 'i8')).toBeGreaterThan(LIMIT);
  });

  it('is told all settings together where none alone is enough', async () => {
    expect(await refusal('synthetic:llama3-8b-1.58', { contextLength: 2 ** 18, threads: 2, head: 'stored' })).toMatch(
      /needs 141336 MB, .*; contextLength 768 fits, or together contextLength 41728, kv "i4", head "int8", sessions 1, threads 1$/,
    );
  });

  it('is refused where the device has less', async () => {
    expect(await refusal('synthetic:bitnet-2b-4t', { threads: 1, sessions: 1 }, 2 ** 30)).toBe(
      'memory: the model with contextLength 4096, kv "f16", sessions 1 and threads 1 needs 1193 MB, expected at most the ' +
        '1074 MB that this device has; contextLength 2496 or kv "i8" or kv "i4" fits',
    );
    expect(await refusal('synthetic:bitnet-2b-4t', { threads: 1 }, 2 ** 29)).toMatch(
      /expected at most the 537 MB that this device has; no settings fit: take a smaller model$/,
    );
  });

  it('is refused where the engine gives less than that', async () => {
    const { Memory } = WebAssembly;
    class Small extends Memory {
      constructor(descriptor: WebAssembly.MemoryDescriptor) {
        if ((descriptor.maximum ?? 0) * 65536 > 2 ** 30) throw new RangeError('could not allocate memory');
        super(descriptor);
      }
    }
    vi.stubGlobal('WebAssembly', Object.assign(Object.create(WebAssembly), { Memory: Small }));
    expect(await refusal(TINY, { contextLength: 2 ** 19, threads: 1, sessions: 4 })).toBe(
      'memory: the model with contextLength 524288, kv "f16", sessions 4 and threads 1 needs 2158 MB, expected at most the ' +
        '809 MB that this environment gives; contextLength 196288 or kv "i4" or sessions 1 fits',
    );
  });
});
