// How far the load is: what arrives, how fast, and a button to end it. On every screen.
import { announce } from './announcements.ts';
import { part } from './dom.ts';
import { bytes } from './figures.ts';
import type { Loading, ModelSlot } from './model-slot.ts';

/** A rate is told over so many milliseconds. */
const WINDOW_MS = 4000;

export function startLoadProgress(slot: ModelSlot): void {
  const region = part('loading', 'section');
  const text = part('loading-text', 'p');
  const bar = part('loading-bar', 'progress');
  /** Bytes that were there at a time, of one label and phase. */
  let samples: { atMs: number; loadedBytes: number }[] = [];
  let last: Loading | undefined;

  function rate({ loadedBytes }: Loading): string {
    const atMs = performance.now();
    samples = [...samples.filter((sample) => atMs - sample.atMs < WINDOW_MS), { atMs, loadedBytes }];
    const first = samples[0]!;
    const seconds = (atMs - first.atMs) / 1000;
    return seconds > 0.5 ? `, ${bytes((loadedBytes - first.loadedBytes) / seconds)}/s` : '';
  }

  slot.progress.on((now) => {
    if (!now) {
      region.hidden = true;
      last = undefined;
      return;
    }
    if (now.label !== last?.label) announce(`Loading ${now.label}`);
    if (now.label !== last?.label || now.phase !== last.phase) samples = [];
    last = now;
    const { phase, loadedBytes, totalBytes, label } = now;
    const verb = phase === 'download' ? 'Downloading' : 'Loading';
    const far = totalBytes ? `: ${bytes(loadedBytes)} of ${bytes(totalBytes)}` : '';
    text.textContent = `${verb} ${label}${far}${phase === 'download' ? rate(now) : ''}`;
    if (totalBytes) {
      bar.max = totalBytes;
      bar.value = loadedBytes;
    } else bar.removeAttribute('value');
    region.hidden = false;
  });
  slot.changed.on(() => {
    if (slot.model) announce(`${slot.model.info.name} is loaded`);
  });
  part('loading-cancel', 'button').addEventListener('click', () => slot.cancel());
}
