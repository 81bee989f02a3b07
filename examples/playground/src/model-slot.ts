// The one model that is loaded, and the one that is being loaded in its place.
import { type LoadOptions, type LoadProgress, load, type Model, type ModelSource, TernlightError } from 'ternlight';
import { Topic } from './topic.ts';

/** Where a model comes from; opened anew each time it is loaded. */
export interface Source {
  readonly label: string;
  open(signal: AbortSignal, onProgress: (progress: LoadProgress) => void): ModelSource | Promise<ModelSource>;
}

export interface Loading extends LoadProgress {
  readonly label: string;
}

/** A model up to this size stays until the next one is ready, so that a file that is refused costs nothing. */
const SPARE_BYTES = 300e6;

export class ModelSlot {
  /** Another model, or none. */
  readonly changed = new Topic();
  /** Undefined: nothing is being loaded. */
  readonly progress = new Topic<Loading | undefined>();
  #model: Model | undefined;
  #source: Source | undefined;
  #chats = false;
  #loading: AbortController | undefined;
  readonly #release: () => Promise<void>;

  /** @param release ends what uses the model, before it goes */
  constructor(release: () => Promise<void>) {
    this.#release = release;
  }

  get model(): Model | undefined {
    return this.#model;
  }

  get source(): Source | undefined {
    return this.#source;
  }

  get loading(): boolean {
    return this.#loading !== undefined;
  }

  /** Whether the model has a chat form of its own. */
  get chats(): boolean {
    return this.#chats;
  }

  /** The model, for who is about to use it. Throws 'invalid-option' where there is none. */
  loaded(): Model {
    if (this.#model) return this.#model;
    const text = this.#loading ? 'is still being loaded; wait for it' : 'is not there; load one on the screen Models';
    throw new TernlightError('invalid-option', `playground: the model ${text}`);
  }

  /** Ends the load that is going on. */
  cancel(): void {
    this.#loading?.abort();
  }

  /** Loads; the model there was is then gone. Throws what load() throws, AbortError where another load came between. */
  async load(source: Source, options: LoadOptions): Promise<Model> {
    this.cancel();
    const controller = new AbortController();
    this.#loading = controller;
    const { signal } = controller;
    const { label } = source;
    const onProgress = (progress: LoadProgress) => {
      if (this.#loading === controller) this.progress.tell({ ...progress, label });
    };
    onProgress({ phase: 'header', loadedBytes: 0, totalBytes: undefined });
    try {
      if ((this.#model?.info.memory.totalBytes ?? 0) > SPARE_BYTES) await this.#set(undefined, undefined, false);
      const model = await load(await source.open(signal, onProgress), { ...options, signal, onProgress });
      const chats = await hasChatForm(model);
      if (signal.aborted) {
        await model.dispose();
        throw signal.reason;
      }
      await this.#set(model, source, chats);
      return model;
    } finally {
      if (this.#loading === controller) {
        this.#loading = undefined;
        this.progress.tell(undefined);
      }
    }
  }

  async #set(model: Model | undefined, source: Source | undefined, chats: boolean): Promise<void> {
    await this.#release();
    const old = this.#model;
    this.#model = model;
    this.#source = source;
    this.#chats = chats;
    await old?.dispose();
    this.changed.tell();
  }
}

/** Asked without computing an answer: no token is wanted. */
async function hasChatForm(model: Model): Promise<boolean> {
  try {
    await model.chat([{ role: 'user', content: 'Hello' }], { maxTokens: 0 }).summary();
    return true;
  } catch (error) {
    if (error instanceof TernlightError && error.code === 'template') return false;
    throw error;
  }
}
