// A tokenizer from the metadata of a GGUF file: checks what the file says, fills in what it leaves out, chooses the
// kind. Knows the keys; the only thing it asks about the model is which one left out its pre-tokenizer.

import { TernlightError } from '../errors.ts';
import type { Metadata } from '../formats/types.ts';
import { absentTokenizer } from './absent.ts';
import { BytePairEncoder } from './bpe.ts';
import { type PreTokenizer, preTokenizer } from './pretokenizer.ts';
import { stopIdsOf } from './special.ts';
import { SentencePieceEncoder } from './spm.ts';
import { type TextEncoding, VocabularyTokenizer } from './tokenizer.ts';
import type { Tokenizer } from './types.ts';
import { tokenType, Vocabulary } from './vocabulary.ts';

const prefix = 'tokenizer.ggml.';

/** The file's tokenizer; where it has none at all, one that takes ids only. */
export function tokenizerOf(metadata: Metadata, vocabSize: number): Tokenizer {
  const none = !['model', 'tokens', 'merges', 'scores'].some((name) => metadata.has(prefix + name));
  return none ? absentTokenizer(vocabSize) : createTokenizer(metadata);
}

/**
 * Throws TernlightError: 'invalid-file' for what is missing or does not fit together, 'unsupported' for kinds of
 * tokenizer other than byte-level BPE ("gpt2") and SentencePiece BPE ("llama").
 */
export function createTokenizer(metadata: Metadata): Tokenizer {
  const kind = metadata.string(`${prefix}model`);
  if (kind === undefined) throw invalid(`${prefix}model is missing, expected "gpt2" or "llama"`);
  if (kind !== 'gpt2' && kind !== 'llama') {
    throw new TernlightError(
      'unsupported',
      `tokenizer: ${prefix}model is ${JSON.stringify(kind)}, expected "gpt2" (byte-level BPE) or "llama" (SentencePiece BPE)`,
    );
  }
  const tokens = required(metadata.strings(`${prefix}tokens`), 'tokens');
  if (tokens.length === 0) throw invalid(`${prefix}tokens is empty, expected a token at least`);
  const notes: string[] = [];
  const idOf = (name: string) => declaredId(metadata, name, tokens.length);
  const [bos, eos, eot, eom, unknown] = ['bos', 'eos', 'eot', 'eom', 'unknown'].map(idOf);
  const declared = metadata.integers(`${prefix}token_type`);
  const types = declared
    ? checkTypes(declared, tokens.length)
    : guessTypes(tokens.length, [bos, eos, eot, eom, unknown]);
  if (!declared) notes.push(`${prefix}token_type is missing; control tokens are the declared ones only`);
  const vocabulary = new Vocabulary(tokens, types, kind === 'gpt2');

  let bosId = bos;
  let eosId = eos;
  let addsBos = true;
  let prefixesSpace = false;
  let encoding: TextEncoding;
  if (kind === 'gpt2') {
    const merges = required(metadata.strings(`${prefix}merges`), 'merges');
    const pre = choosePre(metadata, vocabulary, notes);
    const encoder = new BytePairEncoder(vocabulary, merges, pre, unknown);
    noteMissingBytes(encoder.idOfByte, 'are left out', notes);
    addsBos = pre.addsBos;
    encoding = encoder;
  } else {
    const scores = required(metadata.floats(`${prefix}scores`), 'scores');
    checkLength('scores', scores.length, tokens.length);
    // Where SentencePiece has put them since its first release; files often rely on it.
    if (vocabulary.types[1] === tokenType.control) bosId ??= 1;
    if (vocabulary.types[2] === tokenType.control) eosId ??= 2;
    prefixesSpace = metadata.boolean(`${prefix}add_space_prefix`) ?? true;
    const encoder = new SentencePieceEncoder(vocabulary, scores, prefixesSpace, unknown ?? 0);
    noteMissingBytes(encoder.idOfByte, 'become the unknown token', notes);
    encoding = encoder;
  }

  addsBos = metadata.boolean(`${prefix}add_bos_token`) ?? (addsBos && bosId !== undefined);
  if (addsBos && bosId === undefined) {
    notes.push(`${prefix}add_bos_token is true but ${prefix}bos_token_id is missing; none is added`);
    addsBos = false;
  }
  const stopIds = stopIdsOf(vocabulary, [eosId, eot, eom]);
  if (stopIds.size === 0) notes.push('no token ends a text; generation stops at its limits only');
  return new VocabularyTokenizer({ vocabulary, encoding, bosId, eosId, addsBos, prefixesSpace, stopIds, notes });
}

/** Files without the key, or with a name that came after this code, are Llama-3-like far more often than not. */
function choosePre(metadata: Metadata, vocabulary: Vocabulary, notes: string[]): PreTokenizer {
  const name = metadata.string(`${prefix}pre`);
  const known = name === undefined ? undefined : preTokenizer(name);
  if (known) return known;
  if (name !== undefined) {
    notes.push(`${prefix}pre is ${JSON.stringify(name)}, which is not known; llama-bpe is used`);
    return preTokenizer('llama-bpe')!;
  }
  // The official BitNet b1.58 2B-4T file lacks the key; the fallback would split a fifth of all texts wrongly.
  const llama3 = vocabulary.size === 128256 && vocabulary.text(128000) === '<|begin_of_text|>';
  const bitnet = /^bitnet-(b1\.58|25)$/.test(metadata.string('general.architecture') ?? '');
  const used = llama3 || bitnet ? 'llama-bpe' : 'default';
  notes.push(`${prefix}pre is missing; ${used} is used`);
  return preTokenizer(used)!;
}

function noteMissingBytes(idOfByte: Int32Array, fate: string, notes: string[]): void {
  // C0, C1 and F5 to FF never occur in UTF-8.
  const missing = idOfByte.filter((id, byte) => id < 0 && byte >> 1 !== 0x60 && byte < 0xf5).length;
  if (missing > 0) notes.push(`${missing} of the 243 bytes of UTF-8 have no token and ${fate}`);
}

function declaredId(metadata: Metadata, name: string, vocabSize: number): number | undefined {
  const key = `${prefix}${name}_token_id`;
  const id = metadata.integer(key);
  if (id !== undefined && !(id >= 0 && id < vocabSize)) {
    throw invalid(`${key} is ${id}, expected an id below ${vocabSize}, the number of tokens`);
  }
  return id;
}

function checkTypes(types: Int32Array, vocabSize: number): Uint8Array {
  checkLength('token_type', types.length, vocabSize);
  const wrong = types.findIndex((type) => type < 0 || type > tokenType.byte);
  if (wrong >= 0) throw invalid(`${prefix}token_type has ${types[wrong]} for token ${wrong}, expected 0 to 6`);
  return Uint8Array.from(types);
}

function guessTypes(vocabSize: number, special: readonly (number | undefined)[]): Uint8Array {
  const types = new Uint8Array(vocabSize).fill(tokenType.normal);
  for (const id of special) if (id !== undefined) types[id] = tokenType.control;
  return types;
}

function checkLength(name: string, length: number, vocabSize: number): void {
  if (length !== vocabSize) {
    throw invalid(`${prefix}${name} has ${length} elements, expected ${vocabSize}, one for each token`);
  }
}

function required<T>(value: T | undefined, name: string): T {
  if (value === undefined) throw invalid(`${prefix}${name} is missing`);
  return value;
}

function invalid(what: string): TernlightError {
  return new TernlightError('invalid-file', `tokenizer: ${what}`);
}
