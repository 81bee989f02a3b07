// What each setting costs: the packaged model's NLL against exact arithmetic, printed; what users run is what is tested.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { type LoadOptions, load } from '../../src/index.ts';
import { collect, meanNll } from './compare.ts';

const golden = fileURLToPath(new URL('../golden/models/golden.TQ2_0-q8_0.json', import.meta.url));
const { cases } = JSON.parse(readFileSync(golden, 'utf8')) as { cases: { ids: number[]; greedy: number[] }[] };

async function nll(options: LoadOptions): Promise<number> {
  const model = await load(undefined, { ...options, threads: 1 });
  let sum = 0;
  for (const { ids, greedy } of cases) {
    const tokens = [...ids, ...greedy];
    sum += meanNll(await collect(model.logits(tokens)), tokens);
  }
  await model.dispose();
  return sum / cases.length;
}

it('settings cost little NLL on the packaged model', async () => {
  const exact = await nll({ kv: 'f32', head: 'stored' });
  console.log(`kv f32, head stored: NLL ${exact.toFixed(5)}`);
  for (const head of ['stored', 'int8'] as const)
    for (const [kv, allowed] of [
      ['f32', 0.005],
      ['f16', 0.005],
      ['i8', 0.01],
      ['i4', 0.1],
    ] as const) {
      const cost = (await nll({ kv, head })) - exact;
      console.log(`kv ${kv}, head ${head}: ${cost >= 0 ? '+' : ''}${cost.toFixed(5)}`);
      expect(Math.abs(cost)).toBeLessThan(allowed);
    }
});
