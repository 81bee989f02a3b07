// ternlight cache: models that are kept on this machine.
import { type Store, store } from '../index.ts';
import { command } from './command.ts';
import { print, printJson } from './io.ts';
import { cacheOptions } from './model-options.ts';
import { UsageError } from './options.ts';
import { Progress } from './progress.ts';
import { bytes, printable, table } from './text.ts';

const actions = ['list', 'add', 'remove', 'path'];

export const cache = command({
  name: 'cache',
  argument: 'ACTION',
  second: 'SOURCE',
  summary: 'list, fetch and remove models that are kept here',
  details: `ACTION is list (without it, too), add, remove or path. SOURCE is an http(s) address or hf:OWNER/REPO[/FILE][@REVISION].
add downloads one file, or goes on with what was broken off. remove takes all that is below an address or of a name.
path prints the folder: TERNLIGHT_CACHE, else the system's cache folder; TERNLIGHT_CACHE=off keeps nothing.
--json: [{url, bytes, storedBytes, whole, sha256, savedMs}], of add one of them, of remove {freedBytes}, of path {path}.`,
  options: { Download: { sha256: cacheOptions.sha256, refresh: cacheOptions.refresh } },
  async run({ io, interrupt: { signal } }, values, action = 'list', source) {
    if (!actions.includes(action))
      throw new UsageError(`ACTION: got "${action}", expected ${actions.slice(0, -1).join(', ')} or ${actions.at(-1)}`);
    const wantsSource = action === 'add' || action === 'remove';
    if (wantsSource !== (source !== undefined))
      throw new UsageError(
        `${action}: got ${source ? `"${source}"` : 'no SOURCE'}, expected ${wantsSource ? 'one' : 'none'}`,
      );
    const kept = await store();
    let json: unknown;
    let text: string;
    if (action === 'list') {
      json = await kept.list();
      text = await listed(kept);
    } else if (action === 'path') {
      json = { path: kept.name };
      text = `${kept.name}\n`;
    } else if (action === 'remove') {
      const freedBytes = await kept.remove(source!);
      json = { freedBytes };
      text = `${bytes(freedBytes)} freed\n`;
    } else {
      const progress = new Progress(io.stderr);
      const { sha256, refresh } = values;
      try {
        const onProgress = ({ loadedBytes, totalBytes }: { loadedBytes: number; totalBytes: number }) =>
          progress.show('downloading', loadedBytes, totalBytes, ` of ${bytes(totalBytes)}`);
        const file = await kept.download(source!, { sha256, refresh, signal, onProgress });
        json = file;
        text = `${file.url}: ${bytes(file.bytes)} kept\n`;
      } finally {
        progress.clear();
      }
    }
    if (values.json) await printJson(io.stdout, json);
    else await print(io.stdout, printable(text));
    return 0;
  },
});

async function listed(kept: Store): Promise<string> {
  const files = await kept.list();
  if (files.length === 0) return `nothing is kept in ${kept.name}\n`;
  const rows = files.map((file) => [
    file.url,
    bytes(file.bytes),
    file.whole ? 'whole' : `${Math.floor((100 * file.storedBytes) / file.bytes)}% of it`,
    new Date(file.savedMs).toISOString().slice(0, 10),
  ]);
  const { usedBytes, freeBytes } = await kept.estimate();
  const free = freeBytes === undefined ? '' : `, ${bytes(freeBytes)} free`;
  return `${table([['file', 'size', 'state', 'saved'], ...rows], [1])}${bytes(usedBytes)} in ${kept.name}${free}\n`;
}
