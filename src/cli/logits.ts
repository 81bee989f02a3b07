// ternlight logits: what the model makes of some ids, position by position, to lay beside another engine's numbers.
import { type FileHandle, open } from 'node:fs/promises';
import { TernlightError } from '../index.ts';
import { command } from './command.ts';
import { print, printJson } from './io.ts';
import { checkIds, modelOptions, withModel } from './model-options.ts';
import { UsageError } from './options.ts';
import { figure, printable, table } from './text.ts';

export const logits = command({
  name: 'logits',
  summary: 'logits after each of some token ids',
  details: `--json: {vocab, positions: [[[id, logit], ...], ...]}, the likeliest first. No token is added in front of the ids.
--out FILE: all logits of all positions, f32, little-endian, positions x vocab.`,
  options: {
    Tokens: {
      ids: { type: 'integers', value: '1,2,3', min: 0, help: 'the ids; needed' },
      top: { type: 'integer', value: 'N', min: 0, default: 8, help: 'print the N greatest of each position' },
      out: { type: 'text', short: 'o', value: 'FILE', help: 'write all logits to this file' },
    },
    Model: modelOptions,
  },
  async run(context, values) {
    const { ids, top, out, json } = values;
    const { io, interrupt } = context;
    if (!ids) throw new UsageError('--ids: missing, expected the ids, comma-separated');
    return withModel(context, values, async (model) => {
      const vocab = model.info.vocabSize;
      checkIds(ids, vocab);
      const file = out === undefined ? undefined : await create(out);
      const positions: [id: number, logit: number][][] = [];
      try {
        for await (const row of model.logits(ids, { signal: interrupt.signal })) {
          await file?.write(littleEndian(row));
          positions.push(greatest(row, top));
        }
      } finally {
        await file?.close();
      }
      if (json) await printJson(io.stdout, { vocab, positions });
      else {
        const rows = positions.map((pairs, i) => [
          String(i),
          String(ids[i]),
          ...pairs.map(([id, logit]) => `${id}: ${logit < 0 ? '-' : ''}${figure(Math.abs(logit))}`),
        ]);
        const header = ['position', 'id', ...Array.from({ length: Math.min(top, vocab) }, (_, i) => `#${i + 1}`)];
        await print(io.stdout, printable(table([header, ...rows], [0, 1])));
      }
      return 0;
    });
  },
});

async function create(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'w');
  } catch (cause) {
    throw new TernlightError('io', `--out: ${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

function littleEndian(row: Float32Array): Uint8Array {
  const view = new DataView(new ArrayBuffer(row.length * 4));
  for (let i = 0; i < row.length; i++) view.setFloat32(i * 4, row[i]!, true);
  return new Uint8Array(view.buffer);
}

/** The `count` greatest logits, greatest first, the lower id first on ties. */
function greatest(row: Float32Array, count: number): [id: number, logit: number][] {
  const best: [number, number][] = [];
  for (let id = 0; id < row.length; id++) {
    const logit = row[id]!;
    if (best.length === count && (count === 0 || logit <= best[count - 1]![1])) continue;
    let at = best.length;
    while (at > 0 && best[at - 1]![1] < logit) at--;
    best.splice(at, 0, [id, logit]);
    if (best.length > count) best.pop();
  }
  return best;
}
