// Speed of what JavaScript does beside the kernels: tokenizer, sampler, stop texts. Seeded.
//   npm run bench:host [-- --json]
import { readFileSync } from 'node:fs';
import { Bench } from 'tinybench';
import { headline, machine } from './build.mjs';
import { importSources } from './bundle.mjs';

const ours = await importSources(`
export { bytesSource } from './src/formats/source.ts';
export { readGguf } from './src/formats/gguf.ts';
export { createTokenizer } from './src/tokenizer/index.ts';
export { Sampler } from './src/generate/sampler.ts';
export { StopMatcher } from './src/generate/stops.ts';
`);

let state = 7;
const random = () => {
  state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
  return state / 2 ** 32;
};

const model = readFileSync(new URL('../model/tinystories-bitnet-11m.gguf', import.meta.url));
const tokenizer = ours.createTokenizer((await ours.readGguf(ours.bytesSource(model))).metadata);
const text = readFileSync(new URL('../README.md', import.meta.url), 'utf8').repeat(8);
const ids = tokenizer.encode(text);
const VOCAB = 128_256;
const logits = Float32Array.from({ length: VOCAB }, () => 12 * (random() + random() + random() - 1.5));
const samplers = {
  'greedy, 128k': new ours.Sampler({ temperature: 0 }, VOCAB),
  'top-k 40, top-p 0.95, 128k': new ours.Sampler({ seed: 1 }, VOCAB),
  'top-p 0.95 alone, 128k': new ours.Sampler({ topK: 0, seed: 1 }, VOCAB),
};

const bench = new Bench({ time: 400, warmupTime: 100 });
bench.add(`encode ${(text.length / 1e3).toFixed(0)} kB`, () => tokenizer.encode(text));
bench.add(`decode ${ids.length} tokens, streamed`, () => {
  const decoder = tokenizer.decoder();
  for (const id of ids) decoder.push(id);
  decoder.end();
});
bench.add('stop texts, 1000 pieces', () => {
  const stops = new ours.StopMatcher(['\nUser:', '<|im_end|>']);
  for (let i = 0; i < 1000; i++) stops.push(' word');
});
for (const [name, sampler] of Object.entries(samplers)) bench.add(name, () => sampler.sample(logits, []));
await bench.run();

const head = machine();
const rows = bench.tasks.map(({ name, result }) => {
  const { p50, min, max } = result.latency;
  return { name, medianMs: p50, minMs: min, maxMs: max };
});
if (process.argv.includes('--json')) console.log(JSON.stringify({ ...head, rows }));
else {
  console.log(headline(head));
  for (const { name, medianMs, minMs, maxMs } of rows)
    console.log(`${name.padEnd(36)} ${medianMs.toFixed(3)} ms  (${minMs.toFixed(3)}..${maxMs.toFixed(3)})`);
}
