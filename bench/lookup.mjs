// Speed of generation with and without prompt lookup, of the built package: settings in turn, medians, one run.
//   node bench/lookup.mjs [--model synthetic:bitnet-0.7b] [--kernel wide] [--threads 1] [--rounds 7] [--tokens 128]
//     [--texts repeated] [--settings off,adaptive] [--cpu] [--batches] [--json]
// --cpu: by this process' processor time, for one thread on a busy machine.
// --batches: also what feeding 1 to 16 tokens at once costs, with the logits after each of them.
import { existsSync } from 'node:fs';
import { cpus } from 'node:os';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const { values: options } = parseArgs({
  options: {
    model: { type: 'string' },
    kernel: { type: 'string' },
    threads: { type: 'string', default: '1' },
    rounds: { type: 'string', default: '7' },
    tokens: { type: 'string', default: '128' },
    texts: { type: 'string', default: '' },
    settings: { type: 'string' },
    cpu: { type: 'boolean', default: false },
    batches: { type: 'boolean', default: false },
    json: { type: 'boolean', default: false },
  },
});
const dist = new URL('../dist/ternlight.js', import.meta.url);
if (!existsSync(dist)) throw new Error(`${fileURLToPath(dist)} is missing: run node scripts/build.mjs`);
const { load } = await import(dist);

const greedy = { temperature: 0 };
/** The best case of any model, forced by a penalty below zero; what the packaged model copies in part; what it makes up. */
const TEXTS = {
  'repeated, greedy': ['The dog likes the ball. '.repeat(4), { ...greedy, frequencyPenalty: -50 }],
  'copied in part, greedy': ['The dog likes the ball. '.repeat(12), greedy],
  'new, greedy': ['Once upon a time', greedy],
  'new, sampled': ['Once upon a time', { temperature: 0.8, seed: 1 }],
};
const SETTINGS = {
  off: false,
  adaptive: 'lookup',
  'draft 4': { draft: 4 },
  'draft 8': { draft: 8 },
  'draft 15': { draft: 15 },
};
const BATCHES = [1, 2, 4, 8, 9, 12, 16];

const settings = Object.entries(SETTINGS).filter(([name]) => options.settings?.split(',').includes(name) ?? true);
const rounds = Number(options.rounds);
const maxTokens = Number(options.tokens);
const median = (values) => values.toSorted((a, b) => a - b)[values.length >> 1];

const model = await load(options.model, {
  threads: Number(options.threads),
  kernel: options.kernel,
  contextLength: 1024,
  sessions: 2,
});
const { runtime, name, build, kernels, threads } = model.info;
const head = { machine: cpus()[0]?.model, runtime, model: name, build, kernel: kernels.decode, threads };

/** The settings in turn, so that what else the machine does meets them alike. */
async function speeds(prompt, sampling) {
  const runs = Object.fromEntries(settings.map(([setting]) => [setting, []]));
  for (let round = 0; round <= rounds; round++)
    for (const [setting, speculation] of settings) {
      const before = process.cpuUsage();
      const summary = await model.generate(prompt, { ...sampling, maxTokens, speculation }).summary();
      const { user, system } = process.cpuUsage(before);
      const { ids, timings } = summary;
      const tokensPerSecond = options.cpu ? (ids.length * 1e6) / (user + system) : timings.decodeTokensPerSecond;
      // The first round warms up.
      if (round > 0) runs[setting].push({ ...summary, tokensPerSecond });
    }
  const texts = new Set(Object.values(runs).flatMap((all) => all.map(({ ids }) => ids.join())));
  if (texts.size !== 1) throw new Error(`${texts.size} different texts, expected one`);
  return Object.entries(runs).map(([setting, all]) => ({
    setting,
    tokens: all[0].ids.length,
    tokensPerSecond: median(all.map(({ tokensPerSecond }) => tokensPerSecond)),
    // Of neighbours in time, then the median: steadier than the ratio of medians.
    gain: median(all.map(({ tokensPerSecond }, i) => tokensPerSecond / runs.off[i].tokensPerSecond)),
    drafted: median(all.map(({ draftedTokens }) => draftedTokens)),
    accepted: median(all.map(({ acceptedTokens }) => acceptedTokens)),
  }));
}

/** One token by the decode plan; then batches by the prefill plan, with all their logits. */
async function batchCosts() {
  const session = await model.session();
  const ids = Array.from({ length: 16 }, (_, i) => 3 + 7 * i);
  await session.feed(ids);
  const times = Object.fromEntries([0, ...BATCHES].map((tokens) => [tokens, []]));
  for (let round = 0; round <= 3 * rounds; round++)
    for (const tokens of [0, ...BATCHES]) {
      await session.truncate(16);
      const started = performance.now();
      if (tokens === 0) await session.feed([9]);
      else for await (const _ of model.logits(ids.slice(0, tokens)));
      if (round > 2) times[tokens].push(performance.now() - started);
    }
  await session.dispose();
  const single = median(times[0]);
  return Object.entries(times).map(([tokens, all]) => ({
    tokens: Number(tokens) || 'decode',
    ms: median(all),
    singles: median(all) / single,
  }));
}

const results = {};
for (const [text, [prompt, sampling]] of Object.entries(TEXTS))
  if (text.includes(options.texts)) results[text] = await speeds(prompt, sampling);
const batches = options.batches ? await batchCosts() : undefined;
await model.dispose();

if (options.json) console.log(JSON.stringify({ ...head, results, batches }));
else {
  console.log(
    Object.entries(head)
      .map((e) => e.join(': '))
      .join(' | '),
  );
  for (const [text, rows] of Object.entries(results))
    for (const { setting, tokens, tokensPerSecond, gain, drafted, accepted } of rows)
      console.log(
        `${text.padEnd(24)}${setting.padEnd(10)}${tokensPerSecond.toFixed(1).padStart(8)} tok/s ${gain.toFixed(2)}x  ` +
          `${tokens} tokens, ${accepted} of ${drafted} accepted`,
      );
  for (const { tokens, ms, singles } of batches ?? [])
    console.log(`${String(tokens).padEnd(7)}${ms.toFixed(2).padStart(9)} ms  ${singles.toFixed(2)} single tokens`);
}
