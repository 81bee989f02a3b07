// What the page tells at once: errors in the alert region, offers in the notice, and words for screen readers only.
import { TernlightError } from 'ternlight';
import { make, part } from './dom.ts';

/** The library's own text says what to do; a stop by the user is no error. */
export function showError(error: unknown): void {
  if (error instanceof DOMException && error.name === 'AbortError') return;
  if (!(error instanceof TernlightError)) console.error(error);
  fill('alert', error instanceof Error ? error.message : String(error));
}

export function clearError(): void {
  part('alert', 'div').hidden = true;
}

/** An offer with one button, such as to reload; taken, it goes away. Gives what withdraws it. */
export function offer(text: string, action: string, act: () => void): () => void {
  const region = part('notice', 'div');
  const button = make('button', { type: 'button' }, action);
  const withdraw = () => {
    // Another offer may have taken its place.
    if (region.contains(button)) region.hidden = true;
  };
  button.addEventListener('click', () => {
    withdraw();
    act();
  });
  fill('notice', text, button);
  return withdraw;
}

function fill(id: 'alert' | 'notice', text: string, ...more: HTMLElement[]): void {
  const region = part(id, 'div');
  const close = make('button', { type: 'button', className: 'quiet' }, 'Dismiss');
  close.addEventListener('click', () => {
    region.hidden = true;
  });
  region.hidden = false;
  region.replaceChildren(make('p', {}, text), ...more, close);
}

/** For screen readers, once they have said what they are saying. */
export function announce(text: string): void {
  part('announcement', 'p').textContent = text;
}

/** Runs what a button starts; what goes wrong is shown. */
export async function attempt(work: () => Promise<unknown>): Promise<void> {
  clearError();
  try {
    await work();
  } catch (error) {
    showError(error);
  }
}
