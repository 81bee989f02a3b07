// The architectures that are known. One line each: everything else about one is in its own file.
import { TernlightError } from '../errors.ts';
import type { Architecture } from './architecture.ts';
import { bitmamba } from './bitmamba.ts';
import { bitnet } from './bitnet.ts';
import { llama } from './llama.ts';
import { qwen3 } from './qwen3.ts';

const ARCHITECTURES: readonly Architecture[] = [bitnet, llama, qwen3, bitmamba];

export const architectureIds: readonly string[] = ARCHITECTURES.flatMap((a) => a.ids);

export function architectureById(id: string | undefined): Architecture {
  if (id === undefined)
    throw new TernlightError(
      'invalid-file',
      'model: key general.architecture is missing; the file is not a complete model',
    );
  const found = ARCHITECTURES.find((a) => a.ids.includes(id));
  if (!found)
    throw new TernlightError(
      'unsupported',
      `model: architecture "${id}" is not known, expected one of ${architectureIds.join(', ')}`,
    );
  return found;
}
