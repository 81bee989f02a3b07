// What few pages need: formats beside GGUF, models made up for benchmarks, profiles. A file of its own in the package,
// dist/ternlight-extras.js. The build gives it what it must share with the engine (load-extras.ts): the class of errors.
export { readBitmamba } from './formats/bitmamba.ts';
export { readRepository } from './formats/hf-repository.ts';
export { readRepositoryTokenizer } from './formats/hf-tokenizer.ts';
export { syntheticModel } from './formats/synthetic.ts';
export { readTokenizerBin } from './formats/tokenizer-bin.ts';
export { profileEngine } from './runtime/profile.ts';
