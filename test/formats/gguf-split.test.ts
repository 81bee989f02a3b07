// Models in parts: the packaged one, cut up as llama-gguf-split does it.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join as joinPath } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { readGguf } from '../../src/formats/gguf.ts';
import { bytesSource } from '../../src/formats/source.ts';
import { inspect, load, packagedModel } from '../../src/index.ts';
import { fileServer } from '../store/server.ts';
import { join, key, str, tensor, type, u32, u64 } from './gguf-bytes.ts';

const whole = new Uint8Array(readFileSync(fileURLToPath(packagedModel)));
const u16 = (value: number) => u32(value).subarray(0, 2);
const nameOf = (number: number, count: number) =>
  `tiny-${String(number).padStart(5, '0')}-of-${String(count).padStart(5, '0')}.gguf`;

/** @param told what each part says of itself instead, by number from 0 */
async function cut(counts: readonly number[], told: Record<number, { no?: number; tensors?: number }> = {}) {
  const { tensors } = await readGguf(bytesSource(whole));
  // The table begins with the name of the first tensor in it, which need not be the first of the data.
  const starts = tensors.map(({ name, dims }) => Buffer.from(whole).indexOf(join([str(name), u32(dims.length)])));
  const metadata = whole.subarray(24, Math.min(...starts));
  const nKeys = Number(new DataView(whole.buffer, whole.byteOffset).getBigUint64(16, true));
  let next = 0;
  return counts.map((count, number) => {
    const own = tensors.slice(next, next + count);
    next += count;
    let end = 0;
    const table = own.map(({ name, dims, encoding, lengthBytes }) => {
      const offset = end;
      end = Math.ceil((end + lengthBytes) / 32) * 32;
      return tensor({ name, dims: [...dims], typeId: encoding.id, offset });
    });
    const head = join([
      ...[new TextEncoder().encode('GGUF'), u32(3), u64(own.length), u64(3 + (number === 0 ? nKeys : 0))],
      ...(number === 0 ? [metadata] : []),
      key('split.no', type.u16, u16(told[number]?.no ?? number)),
      key('split.count', type.u16, u16(counts.length)),
      key('split.tensors.count', type.i32, u32(told[number]?.tensors ?? tensors.length)),
      ...table,
    ]);
    const data = own.map(({ offsetBytes, lengthBytes }) =>
      join([whole.subarray(offsetBytes, offsetBytes + lengthBytes), new Uint8Array(-lengthBytes & 31)]),
    );
    return join([head, new Uint8Array(-head.length & 31), ...data]);
  });
}

async function story(source: Parameters<typeof load>[0], options = {}): Promise<string> {
  const model = await load(source, { threads: 1, ...options });
  const { text } = await model.generate('Once upon a time', { temperature: 0, maxTokens: 20 }).summary();
  await model.dispose();
  return text;
}

describe('a model in parts', () => {
  let folder: string;
  let parts: Uint8Array[];
  let expected: string;
  let count: number;

  beforeAll(async () => {
    folder = mkdtempSync(joinPath(tmpdir(), 'ternlight-'));
    count = (await readGguf(bytesSource(whole))).tensors.length;
    parts = await cut([0, 5, count - 5]);
    for (const [i, part] of parts.entries()) writeFileSync(joinPath(folder, nameOf(i + 1, 3)), part);
    expected = await story(undefined);
  });
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is the model: from a path, files, an address, and kept', async () => {
    expect(await story(joinPath(folder, nameOf(1, 3)))).toBe(expected);
    const files = parts.map((part, i) => new File([part as Uint8Array<ArrayBuffer>], nameOf(i + 1, 3)));
    expect(await story(files)).toBe(expected);
    expect((await inspect(files)).tensors.length).toBe(count);
    const server = await fileServer(new Uint8Array(0), {
      files: Object.fromEntries(parts.map((part, i) => [`/a%20b/${nameOf(i + 1, 3)}`, part])),
    });
    process.env.TERNLIGHT_CACHE = joinPath(folder, 'kept');
    try {
      const url = `${server.origin}/a b/${nameOf(1, 3)}`;
      expect(await story(url, { cache: false })).toBe(expected);
      expect(await story(url)).toBe(expected);
      const before = server.requests.length;
      expect(await story(url, { cache: 'offline' })).toBe(expected);
      expect(server.requests.length).toBe(before);
    } finally {
      process.env.TERNLIGHT_CACHE = 'off';
      await server.close();
    }
  });

  it('is refused where it cannot be put together', async () => {
    await expect(load(parts[0]!)).rejects.toMatchObject({
      code: 'unsupported',
      message: expect.stringContaining('is one of 3 parts of a model, expected the first, -00001-of-00003.gguf, with'),
    });
    await expect(load(joinPath(folder, nameOf(2, 3)))).rejects.toThrow('is one of 3 parts of a model');
    const file = (part: Uint8Array, number: number) => new File([part as Uint8Array<ArrayBuffer>], nameOf(number, 3));
    await expect(load([file(parts[0]!, 1), file(parts[2]!, 3)])).rejects.toThrow(
      `gguf: ${nameOf(1, 3)} lacks its part ${nameOf(2, 3)}; download it too`,
    );
    await expect(load([file(parts[0]!, 1), file(parts[2]!, 2), file(parts[1]!, 3)])).rejects.toThrow(
      `gguf: ${nameOf(2, 3)} does not say that it is part 2 of 3; download it again`,
    );
    const short = await cut([0, 5, count - 6]);
    await expect(load(short.map((part, i) => file(part, i + 1)))).rejects.toThrow(
      `have ${count - 1} tensors, expected ${count}; download them again`,
    );
    const twice = await cut([0, 5, count - 5], { 0: { tensors: count + 5 } });
    const again = await load([...[twice[0]!, twice[1]!, twice[2]!].map((part, i) => file(part, i + 1))]).catch(String);
    expect(again).toContain(`have ${count} tensors, expected ${count + 5}`);
  });
});
