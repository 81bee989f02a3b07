// The engine in a page's own thread (or a service worker's), where no worker can be started.
import type { Model } from '../generate/model.ts';
import { loadModel } from '../load.ts';
import type { ModelSource } from '../open.ts';
import type { Platform } from '../platform/platform.ts';
import type { LoadOptions } from '../understand.ts';

/** Tokens of a prompt at once: the page gets a turn after each of these, and after each token of an answer. */
const CHUNK_TOKENS = 16;

export async function loadHere(
  source: ModelSource,
  options: LoadOptions,
  platform: Platform,
  why: Error,
): Promise<Model> {
  const model = await loadModel(source, { chunkTokens: CHUNK_TOKENS, ...options }, platform);
  model.info.notes.push(`the engine runs in this thread, which stands still while it computes a step: ${why.message}`);
  return model;
}
