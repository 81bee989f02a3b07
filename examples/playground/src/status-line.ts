// The line below: the model, what it runs with, and how fast it was.
import type { Summary } from 'ternlight';
import { part } from './dom.ts';
import { bytes, plural, rate } from './figures.ts';
import type { ModelSlot } from './model-slot.ts';
import type { Writer } from './writer.ts';

function finished({ timings, promptTokens, cachedTokens, ids }: Summary): string {
  const computed = promptTokens - cachedTokens;
  const prompt = computed > 0 && timings.prefillMs > 0 ? `prompt ${rate(timings.prefillTokensPerSecond)} tok/s` : '';
  const answer = ids.length > 1 && timings.decodeMs > 0 ? `answer ${rate(timings.decodeTokensPerSecond)} tok/s` : '';
  return [prompt, answer].filter(Boolean).join(' · ');
}

export function startStatusLine(slot: ModelSlot, writer: Writer): void {
  const rates = part('status-rates', 'span');
  slot.changed.on(() => {
    const info = slot.model?.info;
    part('status-model', 'span').textContent = info?.name ?? 'No model';
    part('status-build', 'span').textContent = info ? `${info.build} · ${info.kernels.decode}` : '';
    // Why there are not more: the library's note begins with how many there are.
    part('status-threads', 'span').textContent = info ? (info.threadsNote ?? plural(info.threads, 'thread')) : '';
    part('status-memory', 'span').textContent = info ? `memory ${bytes(info.memory.oneSessionBytes)}` : '';
    rates.textContent = '';
  });
  writer.rates.on(({ answer, summary }) => {
    rates.textContent = summary ? finished(summary) : `answer ${rate(answer!)} tok/s`;
  });
}
