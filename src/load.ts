// From a source to a model: the only file that sees formats, architectures, memory and generation together.
import { TernlightError } from './errors.ts';
import type { ModelFile } from './formats/types.ts';
import { LocalModel } from './generate/model.ts';
import { type ModelSource, openModel } from './open.ts';
import { NoWorkerError } from './platform/no-worker.ts';
import type { Platform } from './platform/platform.ts';
import { Engine, type EngineSetup } from './runtime/engine.ts';
import { MemoryNeed } from './runtime/memory-limit.ts';
import { HEAP_BASE } from './runtime/memory-plan.ts';
import { countParameters } from './runtime/packing.ts';
import { chooseVariant, type Variant } from './runtime/variant.ts';
import { tokenizerOf } from './tokenizer/index.ts';
import { chooseThreads, type LoadOptions, understand } from './understand.ts';

export async function loadModel(source: ModelSource, options: LoadOptions, platform: Platform): Promise<LocalModel> {
  const started = performance.now();
  const { signal, onProgress } = options;
  onProgress?.({ phase: 'header', loadedBytes: 0, totalBytes: undefined });
  // Weights are read as they arrive: how far the download is says more then.
  let downloading = false;
  const onDownload = (loadedBytes: number, totalBytes: number) => {
    downloading = loadedBytes < totalBytes;
    onProgress?.({ phase: 'download', loadedBytes, totalBytes });
  };
  let { threads, note } = chooseThreads(options, platform);
  const onHeader = (file: ModelFile) => {
    const { options: asked, ...model } = understand(file, options);
    new MemoryNeed({ ...model, ...asked, file, threads }, HEAP_BASE).check(platform.memoryBytes);
  };
  const opened = await openModel(source, platform, { ...options, keep: true, onDownload, onHeader });
  try {
    const { file } = opened;
    const understood = understand(file, options);
    const { config, head } = understood;
    const notes = opened.notes;
    notes.push(...understood.notes);
    const tokenizer = tokenizerOf(file.metadata, config.vocabSize);
    notes.push(...(tokenizer.notes ?? []));
    if (options.revectorize) {
      if (!platform.revectorize)
        throw new TernlightError(
          'environment',
          `options: revectorize needs Node 24 or later, got ${platform.runtime}; leave it out`,
        );
      platform.revectorize();
    }
    let variant = await chooseVariant(threads > 1, options.variant);
    const setup: EngineSetup = {
      ...understood.options,
      ...{
        platform,
        file,
        architecture: understood.architecture,
        config,
        jobs: understood.jobs,
        variant,
        threads,
        signal,
      },
      rowKernel: options.kernel,
      revectorized: options.revectorize,
      mayWalkAlone: options.threads === undefined,
      onProgress: (loadedBytes, totalBytes) => {
        if (!downloading) onProgress?.({ phase: 'weights', loadedBytes, totalBytes });
      },
    };
    const engine = await Engine.create(setup).catch((error) => {
      if (!(error instanceof NoWorkerError)) throw error;
      // Nothing has been read yet. A variant that was asked for by name has threads: the one without is its beginning.
      threads = 1;
      note = `one thread: ${error.message}`;
      variant = variant.replace('-threads', '') as Variant;
      return Engine.create({ ...setup, threads, variant });
    });
    await opened.finish().catch((error) => {
      engine.dispose();
      throw error;
    });
    const totalBytes = file.tensors.reduce((n, t) => n + t.lengthBytes, 0);
    onProgress?.({ phase: 'ready', loadedBytes: totalBytes, totalBytes });
    return new LocalModel(engine, tokenizer, file.metadata, {
      name: file.metadata.string('general.name') ?? opened.name,
      format: file.format,
      architecture: config.architecture,
      ...countParameters(file),
      contextLength: engine.capacity,
      trainedContextLength: config.contextLength,
      vocabSize: config.vocabSize,
      layers: config.nLayers,
      dim: config.dim,
      runtime: platform.runtime,
      build: variant,
      kernels: { decode: engine.rowKernel, prefill: 'tiled' },
      threads,
      threadsNote: note,
      kv: understood.options.kv,
      head,
      memory: { ...engine.memoryPlan, weightsBytes: engine.weightsBytes },
      notes,
      loadMs: performance.now() - started,
    });
  } finally {
    await opened.close();
  }
}
