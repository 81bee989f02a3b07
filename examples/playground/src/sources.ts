// Models by where they come from: the package, an address, files of this device.
import { inspect, type LoadProgress, packagedModel, store, TernlightError } from 'ternlight';
import type { Source } from './model-slot.ts';

/** The model beside the page. Fetched as a whole, so that the browser's cache can give it to the service worker. */
export const packaged: Source = {
  label: 'the packaged model',
  async open(signal, onProgress) {
    try {
      const response = await fetch(packagedModel, { signal });
      if (!response.ok) throw new Error(`status ${response.status}`);
      return await whole(response, onProgress);
    } catch (cause) {
      if (signal.aborted) throw signal.reason;
      throw new TernlightError(
        'io',
        `playground: the packaged model could not be fetched (${(cause as Error).message}); try again with a network`,
        { cause },
      );
    }
  },
};

async function whole(response: Response, onProgress: (progress: LoadProgress) => void): Promise<Blob> {
  const totalBytes = Number(response.headers.get('content-length')) || undefined;
  const parts: Uint8Array<ArrayBuffer>[] = [];
  let loadedBytes = 0;
  const reader = response.body!.getReader();
  for (let part = await reader.read(); !part.done; part = await reader.read()) {
    parts.push(part.value);
    loadedBytes += part.value.length;
    onProgress({ phase: 'download', loadedBytes, totalBytes });
  }
  return new Blob(parts);
}

/** An http(s) address, "hf:owner/repo[/file]", or that without "hf:". Throws 'invalid-option'. */
export function fromAddress(given: string): Source {
  const text = given.trim();
  const address = /^[\w.-]+\/[\w./@-]+$/.test(text) ? `hf:${text}` : text;
  if (!/^(https?:\/\/|hf:|local:)./.test(address))
    throw new TernlightError(
      'invalid-option',
      `address: got "${text}", expected https://... of a model file, or hf:owner/repo/file.gguf`,
    );
  return { label: address, open: () => address };
}

/** Files of this device, read where they lie: one file, or the parts or files of one model. `keep`: one is copied first. */
export function fromFiles(files: readonly File[], keep: boolean): Source {
  const [first, ...more] = files;
  if (!first) throw new TernlightError('invalid-option', 'files: got none, expected a model file, or all files of one');
  const label = more.length === 0 ? first.name : `${first.name} and ${more.length} more`;
  if (!keep) return { label, open: () => (more.length === 0 ? first : files) };
  if (more.length > 0)
    throw new TernlightError('invalid-option', `files: got ${files.length}, expected one: several cannot be kept`);
  return {
    label,
    async open(signal, onProgress) {
      // A file that is no model is refused before it is copied.
      await inspect(first);
      const report = (progress: Omit<LoadProgress, 'phase'>) => onProgress({ phase: 'download', ...progress });
      return (await (await store()).add(first, { signal, onProgress: report })).url;
    },
  };
}
