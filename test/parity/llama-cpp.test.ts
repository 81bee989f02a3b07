// What `convert` writes, read by llama.cpp: the same likeliest tokens. Optional: needs npm's node-llama-cpp in a folder of
// its own, which TERNLIGHT_LLAMA_CPP names (npm install --prefix FOLDER --ignore-scripts node-llama-cpp@3.22.1).
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { convertModel } from '../../src/convert/convert.ts';
import { openModel } from '../../src/open.ts';
import { nodePlatform } from '../../src/platform/node.ts';
import { hasTruth, truthJson, truthPath } from '../truth.ts';

const folder = process.env.TERNLIGHT_LLAMA_CPP;
if (folder === undefined) console.log('skipped: llama.cpp (TERNLIGHT_LLAMA_CPP names no folder with node-llama-cpp)');
const present = folder !== undefined && hasTruth('truth/models', 'models to convert');

/** bitnet-b1.58 is missing: this llama.cpp gates `bitnet` by SiLU whatever bitnet.hidden_activation says. */
const SOURCES = [
  ...['llama3-bpe2k.I2_S', 'llama-var80-bpe1283.TQ2_0', 'llama-rowscale-spm512.TQ2_0', 'bitnet-bpe2k.I2_S'],
  ...['bitnet-scale-bpe2k.TQ2_0', 'qwen3-bpe2k.TQ2_0', 'qwen3-bpe2k.Q2_0'],
];
/** It has the weights of another file, and its oracle. */
const ORACLES: Record<string, string> = { 'bitnet-scale-bpe2k.TQ2_0': 'bitnet-bpe2k.TQ2_0' };

/** Prints the likeliest id after each of some ids. */
const PROGRAM = `
import { getLlama, LlamaLogLevel } from 'node-llama-cpp';
const llama = await getLlama({ gpu: false, build: 'never', logLevel: LlamaLogLevel.error, progressLogs: false });
const model = await llama.loadModel({ modelPath: process.argv[2], gpuLayers: 0 });
const context = await model.createContext({ contextSize: 256, threads: 1 });
const next = { generateNext: { probabilities: true, options: { temperature: 0 } } };
const ids = JSON.parse(process.argv[3]);
const out = await context.getSequence().controlledEvaluate(ids.map((id) => [id, next]));
console.log(JSON.stringify(out.map((o) => [...o.next.probabilities.keys()][0])));
process.exit(0);
`;

interface Expected {
  cases: { tokens: number[]; float: { top: [id: number, logit: number][][] } }[];
}

describe.runIf(present)('llama.cpp reads what convert writes', () => {
  const out = mkdtempSync(join(tmpdir(), 'ternlight-'));
  afterAll(() => rmSync(out, { recursive: true }));

  for (const source of SOURCES)
    for (const ternary of ['TQ1_0', 'TQ2_0'] as const)
      it(`${source} as ${ternary}`, async () => {
        const opened = await openModel(truthPath(`truth/models/${source}.gguf`), nodePlatform());
        const pieces: Uint8Array[] = [];
        for await (const piece of convertModel(opened.file, { ternary }).pieces) pieces.push(piece.slice());
        await opened.close();
        const file = join(out, `${source}.${ternary}.gguf`);
        writeFileSync(file, Buffer.concat(pieces));
        const program = join(folder!, 'ternlight-top.mjs');
        writeFileSync(program, PROGRAM);
        const { cases } = truthJson<Expected>(`truth/models/${ORACLES[source] ?? source}.expected.json`);
        const { tokens, float } = cases[0]!;
        const run = spawnSync(process.execPath, [program, file, JSON.stringify(tokens)], { encoding: 'utf8' });
        expect(run.status, run.stderr).toBe(0);
        const top: number[] = JSON.parse(run.stdout.trim().split('\n').at(-1)!);
        let compared = 0;
        for (const [p, [first, second]] of float.top.entries()) {
          if (first![1] - second![1] < 0.6) continue;
          expect(top[p], `position ${p}`).toBe(first![0]);
          compared++;
        }
        expect(compared).toBeGreaterThan(5);
      });
});
