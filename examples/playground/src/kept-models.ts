// What the library's store keeps on this device: listed, used, deleted.
import { type StoredFile, store } from 'ternlight';
import { attempt } from './announcements.ts';
import { make, part } from './dom.ts';
import { bytes, plural } from './figures.ts';
import type { ModelSlot } from './model-slot.ts';
import { screenShown } from './screens.ts';

/** Files that are one model: a GGUF or .bin file by itself, others with all of their folder. */
interface KeptModel {
  readonly address: string;
  readonly files: readonly StoredFile[];
}

function models(files: readonly StoredFile[]): KeptModel[] {
  const address = ({ url }: StoredFile) => (/^local:|\.(gguf|bin)$/i.test(url) ? url : new URL('./', url).href);
  const groups = new Map<string, StoredFile[]>();
  for (const file of files) groups.set(address(file), [...(groups.get(address(file)) ?? []), file]);
  return [...groups].map(([address, files]) => ({ address, files }));
}

/** "owner/repo/file.gguf" of an address of Hugging Face; else without the protocol. */
function shortName(address: string): string {
  return address
    .replace(/^https:\/\/huggingface\.co\/([^/]+\/[^/]+)\/resolve\/[^/]+\//, '$1/')
    .replace(/^(https?:\/\/|local:)/, '');
}

export function startKeptModels(slot: ModelSlot, use: (address: string) => void): void {
  const list = part('kept', 'ul');
  const total = part('kept-total', 'p');
  const result = part('persist-result', 'output');
  const protect = part('persist', 'button');

  function row({ address, files }: KeptModel): HTMLLIElement {
    const name = shortName(address);
    const have = files.reduce((sum, { storedBytes }) => sum + storedBytes, 0);
    const all = files.reduce((sum, { bytes }) => sum + bytes, 0);
    const whole = files.every((file) => file.whole);
    const savedMs = Math.max(...files.map((file) => file.savedMs));
    const size = whole ? bytes(have) : `${bytes(have)} of ${bytes(all)}, broken off`;
    const useIt = make(
      'button',
      { type: 'button', ariaLabel: `${whole ? 'Use' : 'Resume'} ${name}` },
      whole ? 'Use' : 'Resume',
    );
    useIt.addEventListener('click', () => use(address));
    const remove = make('button', { type: 'button', ariaLabel: `Delete ${name}` }, 'Delete');
    remove.addEventListener('click', () => {
      if (confirm(`Delete ${name} (${bytes(have)}) from this device?`))
        void attempt(async () => {
          await (await store()).remove(address);
          await show();
          part('kept-title', 'h2').focus();
        });
    });
    const about = `${size}, ${new Date(savedMs).toLocaleDateString()}`;
    return make(
      'li',
      {},
      make('div', {}, make('p', {}, name), make('p', { className: 'about' }, about)),
      useIt,
      remove,
    );
  }

  async function show(): Promise<void> {
    try {
      const kept = await store();
      const found = models(await kept.list());
      const { usedBytes, freeBytes } = await kept.estimate();
      const free = freeBytes === undefined ? 'free space unknown' : `${bytes(freeBytes)} free`;
      total.textContent = `${plural(found.length, 'model')}, ${bytes(usedBytes)} in ${kept.name}; ${free}.`;
      list.replaceChildren(...found.map(row));
      protect.disabled = false;
    } catch (error) {
      total.textContent = `Nothing can be kept here: ${(error as Error).message}`;
      list.replaceChildren();
      protect.disabled = true;
    }
  }

  protect.addEventListener('click', () =>
    attempt(async () => {
      result.textContent = (await (await store()).persist())
        ? 'The browser promises to keep everything.'
        : 'The browser does not promise it: it may delete models when space is short. Installing the page helps.';
    }),
  );
  let visible = false;
  screenShown.on((name) => {
    visible = name === 'models';
    if (visible) void show();
  });
  // After a load, and one that was broken off.
  slot.progress.on((now) => {
    if (!now && visible) void show();
  });
}
