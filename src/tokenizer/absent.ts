// Where a model comes without a tokenizer: ids in, ids out. Text is refused with the cure.
import { TernlightError } from '../errors.ts';
import type { Tokenizer } from './types.ts';

/** @param vocabSize how many ids the model knows */
export function absentTokenizer(vocabSize: number): Tokenizer {
  const refuse = (): never => {
    throw new TernlightError(
      'unsupported',
      'tokenizer: the model comes without one, so it takes and gives ids only; give a tokenizer (a GGUF file with this vocabulary, a tokenizer.json or a tokenizer.bin) with the option "tokenizer"',
    );
  };
  return {
    vocabSize,
    bosId: undefined,
    eosId: undefined,
    addsBos: false,
    stopIds: new Set(),
    notes: ['the model comes without a tokenizer: it takes and gives ids only'],
    encode: refuse,
    decode: refuse,
    // A generation from ids has no text.
    decoder: () => ({ push: () => '', end: () => '' }),
    token: () => undefined,
    id: () => undefined,
    tokenBytes: () => new Uint8Array(0),
    isControl: () => false,
  };
}
