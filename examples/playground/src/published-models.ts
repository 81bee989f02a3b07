// Published models that are known to run: the list that `ternlight models --json` gave when the page was built.
import { make, part } from './dom.ts';
import { amount, bytes } from './figures.ts';
import { screenShown } from './screens.ts';

export interface PublishedModel {
  readonly name: string;
  /** What load() takes. */
  readonly source: string;
  readonly bytes: number;
  readonly bytesAreExact: boolean;
  readonly parameters: number;
  readonly encoding: string;
  readonly licence: string;
  readonly chat: string;
  readonly memory: { readonly totalBytes: number };
  readonly notes: readonly string[];
}

/** The memory of a WebAssembly program ends here. */
const MOST_BYTES = 4e9;

export function startPublishedModels(use: (source: string) => void): void {
  const list = part('published', 'ul');
  const filter = part('filter', 'input');
  const count = part('published-count', 'p');
  let models: readonly PublishedModel[] | undefined;

  function row(model: PublishedModel): HTMLLIElement {
    const { name, source, parameters, encoding, licence, memory } = model;
    const fits = memory.totalBytes < MOST_BYTES;
    const button = make('button', { type: 'button', ariaLabel: `Load ${name}`, disabled: !fits }, 'Load');
    button.addEventListener('click', () => use(source));
    const about = [
      `${amount(parameters)} parameters`,
      `${model.bytesAreExact ? '' : 'about '}${bytes(model.bytes)} to download`,
      `${bytes(memory.totalBytes)} of memory${fits ? '' : ': too large for a page'}`,
      model.chat === 'none' ? 'continues texts' : 'chats',
      `${encoding}, ${licence}`,
    ];
    return make(
      'li',
      {},
      make('div', {}, make('p', {}, name), make('p', { className: 'about' }, about.join(' · '))),
      button,
    );
  }

  function show(): void {
    const wanted = filter.value.trim().toLowerCase();
    const found = (models ?? []).filter(({ name, source, encoding, licence }) =>
      [name, source, encoding, licence].some((text) => text.toLowerCase().includes(wanted)),
    );
    list.replaceChildren(...found.map(row));
    count.textContent = `${found.length} of ${models?.length ?? 0}; they come from huggingface.co`;
  }

  screenShown.on(async (name) => {
    if (name !== 'models' || models) return;
    try {
      models = (await (await fetch('models.json')).json()) as PublishedModel[];
      show();
    } catch (error) {
      count.textContent = `The list could not be read: ${(error as Error).message}`;
    }
  });
  filter.addEventListener('input', show);
}
