// The public API and its types, nothing else.

import { engine } from '#engine';
import type { Environment } from './environment.ts';
import type { Model } from './generate/model.ts';
import type { Inspection } from './inspect.ts';
import type { ModelSource } from './open.ts';
import type { Store } from './store.ts';
import type { Tokenizer } from './tokenizer/types.ts';
import type { LoadOptions } from './understand.ts';

/** What few pages need, for the engine in a page's worker. Bundlers copy the file that this address names. */
const extras = new URL('./ternlight-extras.js', import.meta.url).href;

/** For where workers from text are forbidden. Not by new URL: a bundler's copy would not find this module beside it. */
const workerFile = import.meta.url.replace(/[^/]*([?#].*)?$/, 'ternlight-worker.js');

const {
  currentPlatform,
  examine: examineOn,
  inspectModel,
  loadModel,
  loadRemote,
  loadTokenizerOf,
  openStore,
  serveRole,
  ...parts
} = engine(
  () => import('#extras'),
  () => import('#node-files'),
);

/** The model in the package, a small one that writes stories. Bundlers copy the file that this address names. */
export const packagedModel = new URL('../model/tinystories-bitnet-11m.gguf', import.meta.url);

/** Runs in a worker: what ternlight-worker.js is for, and nothing else. */
export function serveWorker(): void {
  serveRole();
}

/**
 * Loads a model. Without a source: the one in the package. In a page the engine runs in a worker of its own; where none
 * can be started, in the page's thread, and `info.notes` says so.
 * Throws a TernlightError before anything large is allocated if the file or an option is not usable.
 */
export function load(source?: ModelSource, options: LoadOptions = {}): Promise<Model> {
  const platform = currentPlatform(String(options.worker ?? workerFile));
  const from = source ?? packagedModel;
  // The packaged model changes with the package, and is where the package is.
  const given = source === undefined ? { cache: false, ...options } : options;
  if (platform.mayBlock) return loadModel(from, given, platform);
  // As text, so that bundlers leave this import alone: what they make of one does not run in the worker.
  return loadRemote(from, given, platform, `(${engine})(() => import(${JSON.stringify(extras)})).serve(self)`);
}

/** Reads a header only: what a file holds and what memory it would need. */
export function inspect(source?: ModelSource, options: LoadOptions = {}): Promise<Inspection> {
  return inspectModel(source ?? packagedModel, options, currentPlatform());
}

/** The tokenizer of a model file or of a vocabulary-only one. */
export function loadTokenizer(
  source?: ModelSource,
  options: Pick<LoadOptions, 'signal' | 'hub' | 'cache'> = {},
): Promise<Tokenizer> {
  return loadTokenizerOf(source ?? packagedModel, currentPlatform(), options);
}

/** What is kept of models on this machine. Throws 'storage' where nothing can be. */
export function store(): Promise<Store> {
  return openStore(currentPlatform());
}

/** What these surroundings offer, what is missing and how to get it, and what speed to expect. Takes about a second. */
export function examine(options: { measure?: boolean } = {}): Promise<Environment> {
  return examineOn(currentPlatform(workerFile), options);
}

export const { TernlightError, chatFormNames, syntheticNames } = parts;
export type TernlightError = InstanceType<typeof TernlightError>;
export type { Environment, Finding } from './environment.ts';
export type { ErrorCode } from './errors.ts';
export type { ByteSource, FileSet } from './formats/types.ts';
export type { Model, ModelInfo, Session } from './generate/model.ts';
export type * from './generate/options.ts';
export type { Inspection } from './inspect.ts';
export type { ModelSource } from './open.ts';
export type { DownloadOptions, Store, StoredFile } from './store.ts';
export type { EncodeOptions, StreamDecoder, Tokenizer } from './tokenizer/types.ts';
export type { LoadOptions, LoadProgress } from './understand.ts';
