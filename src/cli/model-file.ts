// The model file of a command that reads it without running it.
import type { ModelFile } from '../formats/types.ts';
import { openModel } from '../open.ts';
import { currentPlatform } from '../platform/current.ts';
import type { Context } from './command.ts';
import { cacheMode, modelOptions } from './model-options.ts';
import type { Options, Values } from './options.ts';

const { tokenizer, 'i2s-layout': layout, offline, 'no-cache': noCache } = modelOptions;
/** Of a model that is read but not run, where its name is an argument. */
export const fileOptions = { tokenizer, 'i2s-layout': layout, offline, 'no-cache': noCache } as const satisfies Options;

/** Reads the header, and closes the file when `use` is done. */
export async function withModelFile<T>(
  { interrupt: { signal } }: Context,
  source: string | URL,
  values: Partial<Values<typeof fileOptions>>,
  use: (file: ModelFile, notes: readonly string[]) => Promise<T>,
): Promise<T> {
  const opened = await openModel(source, currentPlatform(), {
    signal,
    tokenizer: values.tokenizer,
    i2sLayout: values['i2s-layout'],
    cache: cacheMode(values),
  });
  try {
    return await use(opened.file, opened.notes);
  } finally {
    await opened.close();
  }
}
