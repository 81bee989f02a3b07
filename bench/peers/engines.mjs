// What is compared: how each engine takes a turn, what it measures, and against which engine it is held.
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { turnInChromium } from './chromium.mjs';
import { cache } from './install.mjs';
import { turnInNode } from './node.mjs';

export const root = fileURLToPath(new URL('../..', import.meta.url));

/** The folder is what the loopback server serves as /models/. */
export const models = join(cache, 'models');
export const modelFile = (shape) => join(models, `${shape}.gguf`);
export const served = {
  dist: join(root, 'dist'),
  peers: fileURLToPath(new URL('.', import.meta.url)),
  models,
  wllama: join(cache, 'node_modules/@wllama/wllama/esm'),
};

/** A turn that takes longer has failed. */
const LIMIT_MS = 20 * 60_000;
const COUNTS = { prefill: 128, prefillLong: 512, decode: 64 };

const library = pathToFileURL(join(root, 'dist/ternlight.js')).href;
const llamaLibrary = pathToFileURL(join(cache, 'node_modules/node-llama-cpp/dist/index.js')).href;

const inPage = (module, set, options) => (place, values) =>
  turnInChromium(
    module,
    { ...values, ...options(place) },
    {
      ...{ executablePath: place.chromium, page: `${place.origin}/${set}/peers/page.html`, limitMs: LIMIT_MS },
    },
  );

const ternlightPage = (set) =>
  inPage('ternlight', set, ({ shape }) => ({ library: `/${set}/dist/ternlight.js`, source: `synthetic:${shape}` }));

/** @param options of load */
const ternlightNode = (id, label, options) => ({
  ...{ id, label, peers: ['llama'], counts: COUNTS },
  run: ({ shape, node }, values) =>
    turnInNode('ternlight', { ...values, options, library, source: `synthetic:${shape}` }, { node, limitMs: LIMIT_MS }),
});

/**
 * In the order of a round. `peers`: asked for with which peers. `run({ shape, node, chromium, origin }, { threads,
 * counts })`. Engines without `rounds` take part in all.
 */
export const engines = [
  ternlightNode('ternlight-node', 'ternlight, Node', {}),
  ternlightNode('ternlight-node-fast', 'ternlight, Node, head fast', { head: 'fast' }),
  ternlightNode('ternlight-node-256', 'ternlight, Node, head fast, revectorizer', { head: 'fast', revectorize: true }),
  {
    ...{ id: 'llama', label: 'llama.cpp, native', peers: ['llama'], counts: COUNTS },
    run: ({ shape }, values) =>
      turnInNode('llama', { ...values, library: llamaLibrary, model: modelFile(shape) }, { limitMs: LIMIT_MS }),
  },
  {
    ...{ id: 'ternlight-chromium', label: 'ternlight, Chromium', peers: ['wllama'], counts: COUNTS },
    run: ternlightPage('coi'),
  },
  {
    // Memory cannot be shared there, so there is one thread.
    ...{ id: 'ternlight-chromium-plain', label: 'ternlight, Chromium, not isolated', peers: ['wllama'] },
    ...{ counts: COUNTS, maxThreads: 1 },
    run: ternlightPage('plain'),
  },
  {
    ...{ id: 'wllama', label: 'wllama, Chromium', peers: ['wllama'], counts: { prefill: 32, decode: 8 }, rounds: 3 },
    run: inPage('wllama', 'coi', ({ shape }) => ({ library: '/coi/wllama', model: `/coi/models/${shape}.gguf` })),
  },
];

/** Ours, theirs. Both must have been measured. */
export const pairs = [
  ['ternlight-node', 'llama'],
  ['ternlight-node-fast', 'llama'],
  ['ternlight-node-256', 'llama'],
  ['ternlight-chromium', 'llama'],
  ['ternlight-chromium-plain', 'llama'],
  ['ternlight-chromium', 'wllama'],
  ['ternlight-chromium-plain', 'wllama'],
];

/** ternlight with the peers' own file: do both compute the same model? */
export const ternlightWithFile = ({ shape, node }, values) =>
  turnInNode('ternlight', { ...values, library, source: modelFile(shape) }, { node, limitMs: LIMIT_MS });
