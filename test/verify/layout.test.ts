// The order of I2_S codes where no dead channel tells: the model itself does.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import type { I2sLayout } from '../../src/formats/encodings/index.ts';
import { load, packagedModel } from '../../src/index.ts';
import { verifyModel } from '../../src/verify/verify.ts';
import { contents, converted, modelFile } from '../convert/helpers.ts';
import { hasTruth, truthPath } from '../truth.ts';

const packaged = new Uint8Array(readFileSync(fileURLToPath(packagedModel)));

/** The same codes as bitnet.cpp writes them on ARM: 64 in 16 bytes, the first 16 in the top bits. */
function inArmOrder(codes: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(codes.length / 4);
  for (const [e, code] of codes.entries())
    bytes[Math.floor(e / 64) * 16 + (e % 16)]! |= code << (6 - 2 * Math.floor((e % 64) / 16));
  return bytes;
}

async function report(bytes: Uint8Array) {
  const opened: I2sLayout[] = [];
  const verification = await verifyModel(await modelFile(bytes), {
    loadAs: (i2sLayout) => {
      opened.push(i2sLayout);
      return load(bytes, { i2sLayout, threads: 1 });
    },
  });
  return { opened, ...verification, told: verification.findings.filter(({ where }) => where === 'I2_S') };
}

describe('the order of I2_S codes', () => {
  it('is the one in which the model predicts English', async () => {
    const { bytes } = await converted(packaged, { ternary: 'I2_S' });
    const { opened, i2s, told } = await report(bytes);
    expect(opened).toEqual(['x86', 'arm', 'rows4']);
    expect(i2s).toMatchObject({ layout: 'x86', sure: true });
    expect(told).toEqual([{ level: 'note', where: 'I2_S', what: expect.stringContaining('of the published files') }]);
    const { x86, arm, rows4 } = i2s!.nll as Record<I2sLayout, number>;
    expect(x86).toBeLessThan(4);
    expect(Math.min(arm, rows4)).toBeGreaterThan(x86 + 2);
  });

  it('of a file made on ARM is told with its cure', async () => {
    const { bytes, file } = await converted(packaged, { ternary: 'I2_S' });
    const arm = bytes.slice();
    for (const info of file.tensors) {
      if (info.encoding.name === 'I2_S') arm.set(inArmOrder((await contents(file, info)).codes), info.offsetBytes);
    }
    const { i2s, told } = await report(arm);
    expect(i2s).toMatchObject({ layout: 'arm', sure: true });
    expect(told).toEqual([
      {
        ...{ level: 'warning', where: 'I2_S', what: expect.stringMatching(/^the codes stand in the order "arm"/) },
        cure: expect.stringContaining('ternlight convert'),
      },
    ]);
  });

  it('of random weights stays open, and is said to', async () => {
    const name = 'truth/models/bitnet-bpe2k.I2_S.gguf';
    if (!hasTruth(name, 'random weights')) return;
    const { i2s, told } = await report(new Uint8Array(readFileSync(truthPath(name))));
    expect(i2s).toMatchObject({ layout: 'x86', sure: false });
    expect(told).toEqual([
      {
        ...{
          level: 'warning',
          where: 'I2_S',
          what: expect.stringMatching(/^no order of the codes is better than chance/),
        },
        cure: expect.stringContaining('--i2s-layout'),
      },
    ]);
  });

  it('is not asked for without a way to load, with quick, or where it is known', async () => {
    const { bytes } = await converted(packaged, { ternary: 'I2_S' });
    const file = await modelFile(bytes);
    const { i2s } = await verifyModel(file);
    expect(i2s).toMatchObject({ layout: 'x86', sure: false });
    const loadAs = () => Promise.reject(new Error('it was loaded'));
    expect((await verifyModel(file, { quick: true, loadAs })).i2s).toBeUndefined();
    expect((await verifyModel(file, { i2sLayout: 'x86', loadAs })).i2s).toBeUndefined();
  });
});
