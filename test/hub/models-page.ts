// docs/MODELS.md, made from the list of known models.
import { type KnownModel, knownModels, refusedModels } from '../../src/hub/known-models.ts';
import { memoryOf, parametersOf } from '../../src/hub/shapes.ts';

const chat: Record<KnownModel['chat'], string> = {
  bitnet: 'its own form, built in',
  chatml: 'ChatML',
  'llama-3': 'Llama-3',
  falcon3: 'Falcon3',
  none: 'base model',
};

export function modelsPage(): string {
  const files = knownModels.filter(({ file }) => file !== undefined);
  const repositories = knownModels.filter(({ file }) => file === undefined);
  return `# Models

<!-- Made from src/hub/known-models.ts: npx vitest run test/hub -u -->

Published models that run here, also told by \`ternlight models [FILTER]\`. A model is named by where it is:

| name | stands for |
|---|---|
| \`model.gguf\`, \`folder/\` | a file; a folder with config.json and safetensors |
| \`https://host/model.gguf\` | the same at an address |
| \`hf:owner/repo\` | a repository of Hugging Face: the file that the tables below name, else its safetensors |
| \`hf:owner/repo/file\` | one file of it; repositories of GGUF files that are not below need it |
| \`...@revision\` | a branch, tag or commit instead of \`main\` |
| \`synthetic:NAME\` | random weights of a published shape, for measuring |

\`TERNLIGHT_HUB\` puts another address in the place of \`https://huggingface.co\` on the command line. Where there is no network,
download the file elsewhere and give its path. No weights are part of ternlight but those of the packaged model; licences are
the models' own.

Memory: weights as they are held, and keys and values of 2048 tokens (a state for BitMamba-2), without activations. Sizes with ~
are computed or rounded. \`ternlight verify\` tells whether a file is sound, \`ternlight convert\` writes one for other engines.

## Files

${table(files)}
## Safetensors repositories

${table(repositories)}
## What to know

${notes()}
## What does not run

${refusedModels.map(({ pattern, why }) => `- \`${plain(pattern)}\`: ${why}\n`).join('')}`;
}

function table(models: readonly KnownModel[]): string {
  const rows = models.map((model) => {
    const { shape, storage, encoding, bytes, bytesAreExact, contextLength, licence } = model;
    const size = bytesAreExact ? `${bytes.toLocaleString('en')}` : `~ ${megabytes(bytes)}`;
    const name = `\`hf:${model.hub}${model.file === 'ask' ? '/FILE' : ''}\``;
    const cells = [
      ...[name, millions(parametersOf(shape)), encoding, size, megabytes(memoryOf(shape, storage).totalBytes)],
      ...[contextLength ?? '', chat[model.chat], licence],
    ];
    return `| ${cells.join(' | ')} |\n`;
  });
  return `| name | parameters | encoding | bytes | memory | context | chat | licence |\n|---|---|---|---|---|---|---|---|\n${rows.join('')}`;
}

/** Models with the same note together. */
function notes(): string {
  const byNote = new Map<string, string[]>();
  for (const { name, notes } of knownModels)
    for (const note of notes) byNote.set(note, [...(byNote.get(note) ?? []), name]);
  byNote.delete('size computed, not seen');
  return [...byNote].map(([note, names]) => `- ${names.join(', ')}: ${note}.\n`).join('');
}

function megabytes(bytes: number): string {
  return `${Math.round(bytes / 1e6).toLocaleString('en')} MB`;
}

function millions(count: number): string {
  return count < 1e9 ? `${Math.round(count / 1e6)} M` : `${(count / 1e9).toPrecision(3)} G`;
}

function plain({ source }: RegExp): string {
  return source
    .replace(/^\^|\$$/g, '')
    .replace(/\\\//g, '/')
    .replace('.*', '*');
}
