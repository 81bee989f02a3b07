// What each setting costs: the packaged model's NLL against exact arithmetic, printed; what users run is what is tested.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { expect, it } from 'vitest';
import { load } from '../../src/index.ts';
import { collect, meanNll } from './compare.ts';

const golden = fileURLToPath(new URL('../golden/models/golden.TQ2_0-q8_0.json', import.meta.url));
const { cases } = JSON.parse(readFileSync(golden, 'utf8')) as { cases: { ids: number[]; greedy: number[] }[] };

async function nll(kv: 'f32' | 'f16', head: 'stored' | 'int8'): Promise<number> {
  const model = await load(undefined, { kv, head, threads: 1 });
  let sum = 0;
  for (const { ids, greedy } of cases) {
    const tokens = [...ids, ...greedy];
    sum += meanNll(await collect(model.logits(tokens)), tokens);
  }
  await model.dispose();
  return sum / cases.length;
}

it('settings cost little NLL on the packaged model', async () => {
  const exact = await nll('f32', 'stored');
  console.log(`kv f32, head stored: NLL ${exact.toFixed(5)}`);
  for (const [kv, head] of [
    ['f16', 'stored'],
    ['f32', 'int8'],
    ['f16', 'int8'],
  ] as const) {
    const cost = (await nll(kv, head)) - exact;
    console.log(`kv ${kv}, head ${head}: ${cost >= 0 ? '+' : ''}${cost.toFixed(5)}`);
    expect(Math.abs(cost)).toBeLessThan(0.02);
  }
});
