// Benchmark: measure, look, copy.
import { announce, attempt } from './announcements.ts';
import { type BenchmarkResult, benchmark, report } from './benchmark.ts';
import { make, part, terms } from './dom.ts';
import { rate } from './figures.ts';
import type { ModelSlot } from './model-slot.ts';
import type { Settings } from './settings.ts';
import type { Writer } from './writer.ts';

export function startBenchmark(slot: ModelSlot, settings: Settings, writer: Writer): void {
  const start = part('measure', 'button');
  const stop = part('benchmark-stop', 'button');
  const progress = part('benchmark-progress', 'output');
  const text = part('result-text', 'textarea');
  const copied = part('copied', 'output');
  let running: AbortController | undefined;
  let result: BenchmarkResult | undefined;

  const show = () => {
    start.disabled = !slot.model || running !== undefined;
    stop.hidden = !running;
  };

  function fill(found: BenchmarkResult): void {
    result = found;
    const cells = ({ threads, promptTokensPerSecond, answerTokensPerSecond }: BenchmarkResult['speeds'][number]) =>
      [String(threads), rate(promptTokensPerSecond), rate(answerTokensPerSecond)].map((cell) => make('td', {}, cell));
    part('speeds', 'tbody').replaceChildren(...found.speeds.map((speed) => make('tr', {}, ...cells(speed))));
    part('speed-note', 'p').textContent = [
      `${found.model}; prompts of ${found.promptTokens} tokens, answers of ${found.answerTokens}.`,
      found.threadsNote ?? '',
    ].join(' ');
    part('findings', 'dl').replaceChildren(
      ...terms(found.environment.findings.map(({ what, ok, detail }) => [what, `${ok ? '✓ yes' : '✗ no'}: ${detail}`])),
    );
    text.value = report(found);
    part('result', 'div').hidden = false;
    copied.textContent = '';
  }

  async function go(): Promise<void> {
    await writer.finish();
    running = new AbortController();
    const { signal } = running;
    show();
    try {
      fill(await benchmark(slot, settings, signal, (step) => (progress.textContent = `${step} …`)));
      announce('The benchmark is done.');
      part('result-title', 'h2').focus();
    } finally {
      running = undefined;
      progress.textContent = '';
      show();
    }
  }

  async function copy(what: string, name: string): Promise<void> {
    try {
      await navigator.clipboard.writeText(what);
      copied.textContent = `${name} copied.`;
    } catch {
      // No permission, or an insecure page: the text is there to be copied by hand.
      text.value = what;
      text.select();
      text.focus();
      copied.textContent = 'The browser does not let the page copy: the text is selected, copy it from there.';
    }
  }

  start.addEventListener('click', () => void attempt(go));
  stop.addEventListener('click', () => running?.abort());
  addEventListener('keydown', ({ key }) => {
    if (key === 'Escape') running?.abort();
  });
  part('copy-text', 'button').addEventListener('click', () => void copy(report(result!), 'Text'));
  part('copy-json', 'button').addEventListener(
    'click',
    () => void copy(`${JSON.stringify(result, null, 2)}\n`, 'JSON'),
  );
  slot.changed.on(show);
  show();
}
