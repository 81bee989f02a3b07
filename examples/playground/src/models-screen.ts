// Models: the one that is loaded, and how to load another.
import type { ModelInfo } from 'ternlight';
import { attempt, offer } from './announcements.ts';
import { make, part, terms } from './dom.ts';
import { amount, bytes } from './figures.ts';
import { startFileDrop } from './file-drop.ts';
import { startKeptModels } from './kept-models.ts';
import type { ModelSlot, Source } from './model-slot.ts';
import { startPublishedModels } from './published-models.ts';
import { screenShown } from './screens.ts';
import type { Settings } from './settings.ts';
import { fromAddress, fromFiles, packaged } from './sources.ts';

function facts(info: ModelInfo, { label }: Source, chats: boolean): [string, string][] {
  const { memory, kernels } = info;
  const sizes = [memory.oneSessionBytes, memory.weightsBytes, memory.kvBytesPerSession];
  const [all, weights, cache] = sizes.map(bytes);
  return [
    ['Name', info.name],
    ['From', label],
    ['Format', `${info.format}, ${info.architecture}`],
    ['Parameters', `${amount(info.parameters)}, of them ${amount(info.ternaryParameters)} ternary or 1-bit`],
    ['Shape', `${info.layers} layers of ${info.dim}, ${info.vocabSize} tokens in the vocabulary`],
    ['Context', `${info.contextLength} tokens, trained with ${info.trainedContextLength}`],
    ['Chat', chats ? 'has a chat form' : 'no chat form: continues texts'],
    ['Build', `${info.build}, kernel ${kernels.decode}, head ${info.head}, cache ${info.kv}`],
    ['Threads', `${info.threads}${info.threadsNote ? ` (${info.threadsNote})` : ''}`],
    ['Memory', `${all}: weights ${weights}, cache ${cache}`],
    ['Loaded in', `${(info.loadMs / 1000).toFixed(2)} s`],
  ];
}

export function startModels(slot: ModelSlot, settings: Settings): void {
  let withdraw = () => {};
  const use = (source: () => Source) =>
    void attempt(async () => {
      withdraw();
      const { info } = await slot.load(source(), settings.loading());
      const [name, screen] = slot.chats ? ['Chat', 'chat'] : ['Complete', 'complete'];
      withdraw = offer(`${info.name} is loaded.`, name, () => {
        location.hash = screen;
      });
    });
  screenShown.on(() => withdraw());
  const address = part('address', 'input');
  const files = part('files', 'input');
  const keep = part('keep-files', 'input');

  slot.changed.on(() => {
    const { model, source, chats } = slot;
    part('facts', 'dl').replaceChildren(...terms(model && source ? facts(model.info, source, chats) : []));
    part('notes', 'ul').replaceChildren(...(model?.info.notes ?? []).map((note) => make('li', {}, note)));
  });
  part('address-form', 'form').addEventListener('submit', (event) => {
    event.preventDefault();
    use(() => fromAddress(address.value));
  });
  files.addEventListener('change', () => {
    const chosen = [...(files.files ?? [])];
    files.value = ''; // the same file may be chosen again
    if (chosen.length > 0) use(() => fromFiles(chosen, keep.checked));
  });
  part('packaged', 'button').addEventListener('click', () => use(() => packaged));
  startFileDrop((dropped) => use(() => fromFiles(dropped, keep.checked)));
  startKeptModels(slot, (kept) => use(() => fromAddress(kept)));
  startPublishedModels((source) => use(() => fromAddress(source)));
}
