// Turns to medians, and those to ratios.
import { pairs } from './engines.mjs';

export const phases = ['prefill', 'prefillLong', 'decode'];

export function median(values) {
  const sorted = [...values].sort((a, b) => a - b);
  const middle = (sorted.length - 1) / 2;
  return (sorted[Math.floor(middle)] + sorted[Math.ceil(middle)]) / 2;
}

const digits = (value) => Number(value.toPrecision(4));

/** The rates of the turns, one a round, under the setting that is faster for this phase: peers get their best. */
function ratesOf(turns, phase) {
  const settings = turns[0].samples.map(({ setting }) => setting);
  const all = settings
    .map((setting, i) => {
      const samples = turns.map((turn) => turn.samples[i]);
      const cores = samples.map((sample) => sample.cores[phase]);
      return { setting, cores, rates: samples.map(({ perSecond }) => perSecond[phase]) };
    })
    .filter(({ rates }) => rates.every(Number.isFinite));
  if (all.length === 0) return undefined;
  const { setting, rates, cores } = all.reduce((a, b) => (median(b.rates) > median(a.rates) ? b : a));
  return {
    ...{ tokensPerSecond: digits(median(rates)), best: digits(Math.max(...rates)), rounds: rates.map(digits) },
    // From pages, NaN and null come: nobody knows there.
    ...(cores.every(Number.isFinite) && { cores: cores.map((used) => Number(used.toFixed(2))) }),
    ...(setting && { setting }),
  };
}

/** @param turns of one engine, shape and number of threads */
export function summarize({ shape, threads, engine: { id, label, counts }, turns, error }) {
  const head = { shape, threads, engine: id, label, counts, ...(error && { error }) };
  if (turns.length === 0) return head;
  return {
    ...head,
    ...Object.fromEntries(phases.map((phase) => [phase, ratesOf(turns, phase)]).filter(([, rates]) => rates)),
    loadMs: Math.round(median(turns.map(({ loadMs }) => loadMs))),
    peakMB: Math.max(...turns.map(({ peakMB }) => peakMB ?? 0)) || undefined,
    details: turns[0].engine,
  };
}

/** The shapes and numbers of threads in the results. */
export const groupsOf = (results) => [...new Map(results.map((r) => [`${r.shape} ${r.threads}`, r])).values()];

/** Tokens for a second of processor time: what a busy machine leaves to compare, where threads do not wait for others. */
const perCoreSecond = ({ rounds, cores }) => median(rounds.map((rate, i) => rate / cores[i]));

/** How many times as fast ours is. Rounds are compared with themselves: what slows a machine down slows both. */
export function ratios(results) {
  const find = (id, { shape, threads }) =>
    results.find((r) => r.engine === id && r.shape === shape && r.threads === threads);
  return groupsOf(results).flatMap((group) =>
    pairs.flatMap(([ourId, theirId]) => {
      const ours = find(ourId, group);
      const theirs = find(theirId, group);
      const both = phases.filter((phase) => ours?.[phase] && theirs?.[phase]);
      if (both.length === 0) return [];
      const rates = both.map((phase) => {
        const [a, b] = [ours[phase], theirs[phase]];
        const count = Math.min(a.rounds.length, b.rounds.length);
        const rounds = Array.from({ length: count }, (_, i) => digits(a.rounds[i] / b.rounds[i]));
        const perCore = a.cores && b.cores && digits(perCoreSecond(a) / perCoreSecond(b));
        return [phase, { median: digits(median(rounds)), best: digits(a.best / b.best), perCore, rounds }];
      });
      const { shape, threads } = group;
      return [{ shape, threads, ours: ourId, theirs: theirId, ...Object.fromEntries(rates) }];
    }),
  );
}
