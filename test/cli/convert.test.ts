// ternlight convert: a whole file or none, whatever happens on the way.
import {
  chmodSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeEach, describe, expect, it } from 'vitest';
import { NewFile } from '../../src/cli/new-file.ts';
import { packagedModel } from '../../src/index.ts';
import { converted, llamaKeys, makeGguf, matrix, modelFile, oneMatrix } from '../convert/helpers.ts';
import { expectBytes } from '../truth.ts';
import { runCli } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'ternlight-convert-'));
const packaged = fileURLToPath(packagedModel);
let out: string;
let tests = 0;

beforeEach(() => {
  const own = join(folder, String(++tests));
  mkdirSync(own);
  out = join(own, 'out.gguf');
});
afterAll(() => rmSync(folder, { recursive: true }));

/** What stands in the folder of `out`. */
const left = () => readdirSync(join(out, '..'));

function input(bytes: Uint8Array): string {
  const path = join(folder, `in-${tests}.gguf`);
  writeFileSync(path, bytes);
  return path;
}

describe('convert', () => {
  it('writes a file that answers as the old one does', async () => {
    const { code, stdout, stderr } = await runCli(['convert', packaged, out, '--ternary', 'I2_S']);
    expect({ code, stdout, stderr }).toEqual({
      ...{ code: 0, stdout: `${out}: 3.69 MB, 57 tensors (1 Q8_0, 21 F32, 35 I2_S)\n`, stderr: '' },
    });
    expect(left()).toEqual(['out.gguf']);
    const run = (model: string) => runCli(['run', 'Once upon', '-m', model, '-t', '1', '-n', '8', '--temp', '0']);
    expect(await run(out)).toEqual(await run(packaged));
  });

  it('tells everything with --json, and nothing else', async () => {
    const file = input(
      makeGguf(llamaKeys, [
        matrix('I2_S', [256, 2], 0.1),
        { ...matrix('I2_S', [256, 2], 0.5), name: 'blk.0.attn_k.weight' },
      ]),
    );
    const { code, stdout, stderr } = await runCli(['convert', file, out, '--json', '--ternary', 'TQ1_0']);
    expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
    expect(JSON.parse(stdout)).toEqual({
      ...{ out, bytes: statSync(out).size, tensors: 2, encodings: { TQ1_0: 2 }, notes: [] },
      scaleRounding: { tensor: 'blk.0.attn_q.weight', relative: expect.closeTo(0.000244, 5) },
    });
    const { stderr: told } = await runCli(['convert', file, out, '--force']);
    expect(told).toBe('note: scales are rounded to f16, by 0.024 % at most (blk.0.attn_q.weight); I2_S keeps them\n');
  });

  it('shows how far it is on a terminal', async () => {
    const { stderr } = await runCli(['convert', packaged, out], { stderrTty: true, env: { NO_COLOR: '1' } });
    expect(stderr.replaceAll('\x1b', 'ESC')).toMatch(/\rESC\[Kconverting \[[#.]{24}\] \d+% of 3\.76 MB/);
    expect(stderr.endsWith('note: the architecture bitnet-b1.58 is called bitnet\n')).toBe(true);
  });

  it('replaces a file only when told to, its own input too', async () => {
    const { bytes } = await converted(new Uint8Array(readFileSync(packaged)), { ternary: 'TQ1_0' });
    writeFileSync(out, bytes);
    const refused = await runCli(['convert', packaged, out]);
    expect(refused).toEqual({
      ...{ code: 1, stdout: '', stderr: `ternlight: out: ${out} is there already; --force replaces it\n` },
    });
    expectBytes(new Uint8Array(readFileSync(out)), bytes);
    expect((await runCli(['convert', out, out, '--force', '--ternary', 'TQ1_0'])).code).toBe(0);
    expectBytes(new Uint8Array(readFileSync(out)), bytes);
    expect(left()).toEqual(['out.gguf']);
  });

  it.each([
    [[], 'IN: missing, expected IN and OUT.gguf'],
    [['a.gguf'], 'OUT.gguf: missing, expected IN and OUT.gguf'],
    [['a', 'b', 'c'], 'got 3 arguments, expected IN and OUT.gguf'],
    [['a', 'b', '--ternary', 'Q4_0'], '--ternary: got "Q4_0", expected TQ2_0, TQ1_0 or I2_S'],
    [['a', 'b', '--embedding', 'I2_S'], '--embedding: got "I2_S", expected F16, Q8_0 or Q6_K'],
  ])('%j is wrong usage', async (args, text) => {
    const { code, stdout, stderr } = await runCli(['convert', ...args]);
    expect({ code, stdout }).toEqual({ code: 2, stdout: '' });
    expect(stderr.startsWith(`ternlight convert: ${text}`)).toBe(true);
  });
});

describe('where it cannot write', () => {
  it('says why', async () => {
    const said = async (path: string) => (await runCli(['convert', packaged, path])).stderr;
    expect(await said(join(out, '..', 'none', 'x.gguf'))).toMatch(
      /x\.gguf cannot be written: its folder does not exist\n$/,
    );
    expect(await said(join(out, '..'))).toMatch(/ is there and is not a file\n$/);
    writeFileSync(out, 'x');
    expect(await said(join(out, 'x.gguf'))).toMatch(/x\.gguf cannot be written: a part of its path is not a folder\n$/);
    expect(left()).toEqual(['out.gguf']);
  });

  // Who may do everything may write everywhere, and Windows has other permissions.
  const allowed = process.getuid?.() === 0 || process.platform === 'win32';
  if (allowed) console.log('skipped: a folder that may not be written (this user may write everywhere)');
  it.skipIf(allowed)('says who forbids it', async () => {
    chmodSync(join(out, '..'), 0o555);
    const { code, stderr } = await runCli(['convert', packaged, out]);
    chmodSync(join(out, '..'), 0o755);
    expect({ code, stderr }).toEqual({
      ...{ code: 1, stderr: `ternlight: out: ${out} may not be written; check the permissions of its folder\n` },
    });
    expect(left()).toEqual([]);
  });
});

describe('nothing is left', () => {
  it('where the input is missing or none', async () => {
    expect(await runCli(['convert', join(folder, 'nowhere.gguf'), out])).toMatchObject({ code: 1, stdout: '' });
    expect(await runCli(['convert', input(new TextEncoder().encode('<html>')), out])).toMatchObject({ code: 1 });
    expect(left()).toEqual([]);
  });

  it('where a tensor does not fit', async () => {
    const { code, stderr } = await runCli(['convert', input(oneMatrix('I2_S', [192, 2], 1)), out]);
    expect(code).toBe(1);
    expect(stderr).toMatch(/^ternlight: convert: blk\.0\.attn_q\.weight has rows of 192, .*; use --ternary I2_S/);
    expect(left()).toEqual([]);
  });

  it('where the last tensor turns out to be damaged, and what was there stays', async () => {
    const bytes = new Uint8Array(readFileSync(packaged));
    const { tensors } = await modelFile(bytes);
    const last = tensors.findLast(({ encoding }) => encoding.name === 'TQ2_0')!;
    const copy = bytes.slice();
    copy[last.offsetBytes + 7] = 0xff;
    writeFileSync(out, 'precious');
    const { code, stderr } = await runCli(['convert', input(copy), out, '--force']);
    expect(code).toBe(1);
    expect(stderr).toContain(`ternlight: model: ${last.name}: TQ2_0: the data holds a code 3`);
    expect(readFileSync(out, 'utf8')).toBe('precious');
    expect(left()).toEqual(['out.gguf']);
  });

  it('where Ctrl-C stops it', async () => {
    let during: string[] = [];
    const { code, stdout } = await runCli(['convert', 'synthetic:bitnet-0.7b', out], {
      stderrTty: true,
      onError: (text, interrupt) => {
        if (during.length > 0 || !text.includes('converting')) return;
        during = left();
        interrupt();
      },
    });
    expect({ code, stdout }).toEqual({ code: 130, stdout: '' });
    expect(during).toEqual([expect.stringMatching(/^\.out\.gguf\.part-/)]);
    expect(left()).toEqual([]);
  });
});

describe('NewFile', () => {
  const text = new TextEncoder().encode('text');

  it('does not replace what has come meanwhile', async () => {
    const file = await NewFile.create(out, false);
    await file.write(text);
    writeFileSync(out, 'precious');
    await expect(file.commit()).rejects.toThrow(`out: ${out} is there already; --force replaces it`);
    await file.discard();
    expect(readFileSync(out, 'utf8')).toBe('precious');
    expect(left()).toEqual(['out.gguf']);
  });

  it('is not there before commit()', async () => {
    const file = await NewFile.create(out, true);
    await file.write(text);
    await file.write(text);
    expect(existsSync(out)).toBe(false);
    await file.commit();
    expect(readFileSync(out, 'utf8')).toBe('texttext');
    expect(left()).toEqual(['out.gguf']);
  });

  it('is cleared up where the process ends at once', async () => {
    const before = process.listeners('exit');
    const file = await NewFile.create(out, false);
    const [atExit] = process.listeners('exit').filter((listener) => !before.includes(listener));
    expect(left()).toHaveLength(1);
    atExit!(130);
    expect(left()).toEqual([]);
    await file.discard();
    expect(process.listeners('exit')).toEqual(before);
  });
});
