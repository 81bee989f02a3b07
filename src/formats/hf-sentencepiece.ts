// tokenizer.model of SentencePiece -> the lists of a GGUF tokenizer, for repositories without tokenizer.json. Its types
// of pieces have GGUF's numbers.

import { TernlightError } from '../errors.ts';
import type { JsonObject } from './hf-json.ts';
import type { MetadataBuilder } from './hf-metadata.ts';
import { type Field, fields } from './hf-protobuf.ts';
import { HfVocabulary, tokenType } from './hf-vocabulary.ts';

const file = 'tokenizer.model';
const prefix = 'tokenizer.ggml.';

/** Numbers of fields in sentencepiece_model.proto. */
const inModel = { piece: 1, trainer: 2, normalizer: 3 };
const inPiece = { text: 1, score: 2, type: 3 };
const inTrainer = { modelType: 3, unknownId: 40, bosId: 41, eosId: 42 };
const inNormalizer = { charsMap: 2, addDummyPrefix: 3 };
const modelTypes = ['none', 'unigram', 'BPE', 'word', 'char'];

export interface SentencePieceFacts {
  readonly vocabulary: HfVocabulary;
  /** Undefined where the model has none. */
  readonly bosId: number | undefined;
  readonly eosId: number | undefined;
}

/** @param added tokens of the repository's other files */
export function sentencePieceEntries(
  bytes: Uint8Array,
  added: readonly { text: string; id: unknown; type: number }[],
  builder: MetadataBuilder,
): SentencePieceFacts {
  const vocabulary = new HfVocabulary(file);
  const scores: number[] = [];
  // What the file does not say is as in the format's own defaults.
  let modelType = 1;
  let unknownId = 0;
  let bosId = 1;
  let eosId = 2;
  let addsSpace = true;
  for (const field of fields(bytes, file)) {
    if (field.number === inModel.piece) {
      const { text, score, type } = readPiece(field);
      scores[vocabulary.size] = score;
      vocabulary.add(text, vocabulary.size, type);
    } else if (field.number === inModel.trainer) {
      for (const { number, varint } of fields(field.bytes, file)) {
        if (number === inTrainer.modelType) modelType = varint;
        if (number === inTrainer.unknownId) unknownId = varint;
        if (number === inTrainer.bosId) bosId = varint;
        if (number === inTrainer.eosId) eosId = varint;
      }
    } else if (field.number === inModel.normalizer) {
      for (const { number, varint, bytes: value } of fields(field.bytes, file)) {
        if (number === inNormalizer.addDummyPrefix) addsSpace = varint !== 0;
        if (number === inNormalizer.charsMap && value.length > 0) {
          throw unsupported('it has a map of characters to normalise, which is not done');
        }
      }
    }
  }
  if (vocabulary.size === 0) {
    throw new TernlightError(
      'invalid-file',
      `${file}: is not a SentencePiece model; add the repository's tokenizer.json`,
    );
  }
  if (modelType !== 2) throw unsupported(`it is a ${modelTypes[modelType] ?? modelType} model, expected BPE`);
  for (const { text, id, type } of added) {
    // The other files repeat the model's own special tokens, of which it says more.
    if (vocabulary.id(text) !== id || vocabulary.type(vocabulary.id(text)!) === tokenType.normal) {
      vocabulary.change(text, id, type);
    }
  }
  builder.string(`${prefix}model`, 'llama').string(`${prefix}pre`, 'default');
  vocabulary.write(builder);
  builder
    .floats(
      `${prefix}scores`,
      Float32Array.from({ length: vocabulary.size }, (_, id) => scores[id] ?? 0),
    )
    .boolean(`${prefix}add_space_prefix`, addsSpace)
    .integer(`${prefix}unknown_token_id`, unknownId);
  const control = (id: number) => (vocabulary.type(id) === tokenType.control ? id : undefined);
  return { vocabulary, bosId: control(bosId), eosId: control(eosId) };
}

function readPiece(piece: Field): { text: string; score: number; type: number } {
  let text = '';
  let score = 0;
  let type: number = tokenType.normal;
  for (const { number, varint, bytes } of fields(piece.bytes, file)) {
    if (number === inPiece.text) text = new TextDecoder('utf-8', { ignoreBOM: true }).decode(bytes);
    if (number === inPiece.score && bytes.length === 4) {
      score = new DataView(bytes.buffer, bytes.byteOffset).getFloat32(0, true);
    }
    if (number === inPiece.type) type = varint;
  }
  if (type >= tokenType.normal && type <= tokenType.byte) return { text, score, type };
  throw new TernlightError('invalid-file', `${file}: a piece is of type ${type}, expected 1 to 6`);
}

function unsupported(text: string): TernlightError {
  return new TernlightError('unsupported', `${file}: ${text}; add the repository's tokenizer.json`);
}

/**
 * Tokens of added_tokens.json and of added_tokens_decoder in tokenizer_config.json.
 * @param special texts of tokens that have a part to play
 */
export function addedTokens(
  list: JsonObject | undefined,
  settings: JsonObject | undefined,
  special: ReadonlySet<string | undefined>,
): { text: string; id: unknown; type: number }[] {
  const found = new Map<unknown, { text: string; id: unknown; type: number }>();
  for (const text of list?.keys ?? []) {
    const id = list!.raw(text);
    found.set(id, { text, id, type: special.has(text) ? tokenType.control : tokenType.userDefined });
  }
  const decoder = settings?.object('added_tokens_decoder');
  for (const key of decoder?.keys ?? []) {
    const token = decoder!.object(key);
    const text = token?.string('content');
    if (text === undefined) throw decoder!.invalid(key, 'an object with content');
    const id = /^\d{1,9}$/.test(key) ? Number(key) : key;
    found.set(id, { text, id, type: token!.boolean('special') ? tokenType.control : tokenType.userDefined });
  }
  return [...found.values()];
}
