// A report for people.
import { engines } from './engines.mjs';
import { groupsOf, median, phases } from './report.mjs';

const { counts: usual } = engines[0];
const labelOf = (id) => engines.find((engine) => engine.id === id).label;
const figure = (value) => (value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2));
const line = (name, cells) => `${name.padEnd(42)}${cells.map((cell) => cell.padStart(21)).join('')}\n`;

export function table({ results, ratios, checks, machine, versions }) {
  const { cpu, cores, memoryGB, os, loadBefore } = machine;
  let out = `${cpu}, ${cores} cores, ${memoryGB} GB, ${os}; load before: ${loadBefore}\n`;
  out += Object.entries(versions)
    .map((pair) => pair.join(' '))
    .join(', ');
  out += '\nTokens per second: median (slowest..fastest round); f: with flash attention, where that is faster;';
  out += '\n!: the system gave it less than nine tenths of its threads, others were at work.\n';
  out += 'Ratios: median of the rounds (fastest round of ours to fastest of theirs).\n';
  for (const { shape, threads } of groupsOf(results)) {
    const here = (r) => r.shape === shape && r.threads === threads;
    const heads = phases.map((phase) => `${phase === 'decode' ? phase : 'prefill'} ${usual[phase]}`);
    out += `\n${line(`${shape}, ${threads} thread${threads > 1 ? 's' : ''}`, [...heads, 'most MB'])}`;
    for (const result of results.filter(here)) out += resultLine(result);
    for (const ratio of ratios.filter(here)) {
      const cell = (phase) => (ratio[phase] ? `x${figure(ratio[phase].median)} (x${figure(ratio[phase].best)})` : '-');
      out += line(`  ${labelOf(ratio.ours)} : ${labelOf(ratio.theirs).split(',')[0]}`, phases.map(cell));
      if (threads > 1 || !ratio.prefill.perCore) continue;
      const perCore = phases.map((phase) => `x${figure(ratio[phase].perCore)}`);
      out += line('    by processor time', perCore);
    }
  }
  for (const { shape, correlation, same } of checks)
    out += `\n${shape}, one file, one prompt: logits of ternlight and llama.cpp correlate by ${correlation}${same ? '' : ': NOT THE SAME MODEL'}`;
  return `${out.trimEnd()}\n`;
}

function resultLine(result) {
  const { label, threads, counts, peakMB, error } = result;
  if (error) return `  ${label.padEnd(40)}failed: ${error}\n`;
  const cell = (phase) => {
    if (!result[phase]) return '-';
    const { tokensPerSecond, rounds, setting = '', cores = [threads] } = result[phase];
    const range = [Math.min(...rounds), Math.max(...rounds)].map(figure).join('..');
    const marks = `${setting.endsWith(' on') ? 'f' : ''}${median(cores) < 0.9 * threads ? '!' : ''}`;
    return `${figure(tokensPerSecond)}${rounds.length > 1 ? ` (${range})` : ''}${marks}`;
  };
  // The heading does not hold for all.
  const own = counts.prefill === usual.prefill ? '' : ` (${counts.prefill}, ${counts.decode} tokens)`;
  return line(`  ${label}${own}`, [...phases.map(cell), String(peakMB ?? '-')]);
}
