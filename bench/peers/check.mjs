// Speed of a wrong answer is worth nothing: with one file and one prompt, ternlight and llama.cpp must give nearly the
// same logits.
import { ternlightWithFile } from './engines.mjs';

/** Activations are rounded differently, and dozens of layers of random weights magnify that: 0.99 and more was seen. */
const EXPECTED = 0.95;

/** One { shape, correlation, same } for each shape that llama.cpp has computed. */
export async function check(place, groups) {
  const checks = [];
  for (const { shape, threads, turns, engine } of groups) {
    if (engine.id !== 'llama' || turns.length === 0 || checks.some((done) => done.shape === shape)) continue;
    process.stderr.write(`${shape}: ternlight with llama.cpp's file\n`);
    // The prompts looked at depend on the first count; the rest need not take long.
    const counts = { ...engine.counts, prefillLong: 16, decode: 8 };
    const { looks } = await ternlightWithFile({ ...place, shape }, { threads, counts });
    const correlation = Math.min(...looks.map((look, i) => correlate(look, turns[0].looks[i])));
    checks.push({ shape, correlation: Number(correlation.toFixed(5)), same: correlation >= EXPECTED });
  }
  return checks;
}

function correlate(a, b) {
  const [x, y] = [centred(a), centred(b)];
  const product = (u, v) => u.reduce((sum, value, i) => sum + value * v[i], 0);
  return product(x, y) / Math.sqrt(product(x, x) * product(y, y));
}

function centred(values) {
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  return values.map((value) => value - mean);
}
