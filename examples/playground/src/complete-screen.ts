// Complete: one text, which the model goes on with.
import { attempt } from './announcements.ts';
import { make, part } from './dom.ts';
import type { ModelSlot } from './model-slot.ts';
import type { Settings } from './settings.ts';
import { figuresOf, type Writer } from './writer.ts';

const BEGINNINGS = ['Once upon a time', 'Lily found a little red box', 'The old cat and the bird'];

export function startComplete(slot: ModelSlot, settings: Settings, writer: Writer): void {
  const text = part('text', 'textarea');
  const start = part('continue', 'button');
  const stop = part('complete-stop', 'button');
  const undo = part('undo', 'button');
  const clear = part('clear', 'button');
  const figures = part('complete-figures', 'output');
  /** Texts before each continuation. */
  const before: string[] = [];

  const show = () => {
    start.hidden = writer.busy;
    stop.hidden = !writer.busy;
    start.disabled = !slot.model;
    text.readOnly = writer.busy;
    undo.disabled = writer.busy || before.length === 0;
    clear.disabled = writer.busy || text.value === '';
  };

  async function go(): Promise<void> {
    const prompt = text.value || text.placeholder;
    const model = slot.loaded();
    // The button that was pressed goes away: the text keeps the keyboard.
    const held = document.activeElement === start;
    text.value = prompt;
    before.push(prompt);
    const { template: _, ...options } = settings.generation();
    const work = writer.write(
      (signal) => model.generate(prompt, { ...options, signal }),
      (answer) => {
        const follows = text.scrollTop + text.clientHeight > text.scrollHeight - 48;
        text.value = prompt + answer;
        if (follows) text.scrollTop = text.scrollHeight;
      },
    );
    if (held) stop.focus();
    try {
      figures.textContent = figuresOf(await work);
    } finally {
      if (document.activeElement === stop || document.activeElement === document.body) start.focus();
    }
  }

  start.addEventListener('click', () => void attempt(go));
  stop.addEventListener('click', () => writer.stop());
  text.addEventListener('keydown', (event) => {
    if (event.key !== 'Enter' || !(event.ctrlKey || event.metaKey) || writer.busy) return;
    event.preventDefault();
    void attempt(go);
  });
  text.addEventListener('input', show);
  undo.addEventListener('click', () => {
    text.value = before.pop() ?? '';
    figures.textContent = '';
    show();
    if (undo.disabled) text.focus();
  });
  clear.addEventListener('click', () => {
    before.push(text.value);
    text.value = '';
    figures.textContent = '';
    show();
    text.focus();
  });
  part('beginnings', 'div').append(
    ...BEGINNINGS.map((beginning) => {
      const button = make('button', { type: 'button', className: 'chip' }, beginning);
      button.addEventListener('click', () => {
        if (writer.busy) return;
        text.value = beginning;
        void attempt(go);
      });
      return button;
    }),
  );
  writer.changed.on(show);
  slot.changed.on(show);
  show();
}
