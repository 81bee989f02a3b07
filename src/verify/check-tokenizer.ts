// Vocabulary, special tokens and chat template: whether they are there, fit the model and are the right ones.

import { isBitnetB158, isWrongBitnetTemplate } from '../convert/bitnet.ts';
import { TernlightError } from '../errors.ts';
import type { Metadata, ModelFile } from '../formats/types.ts';
import { vocabularyFamily } from '../hub/vocabularies.ts';
import { createTokenizer } from '../tokenizer/index.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import type { Findings } from './finding.ts';

const prefix = 'tokenizer.ggml.';

export function checkTokenizer(file: ModelFile, findings: Findings): void {
  const { metadata } = file;
  if (!metadata.has(`${prefix}model`)) {
    findings.warning(
      `${prefix}model`,
      'is missing: the model can be run by token ids only',
      'get a file with a tokenizer',
    );
    return;
  }
  let tokenizer: Tokenizer;
  try {
    tokenizer = createTokenizer(metadata);
  } catch (error) {
    if (!(error instanceof TernlightError)) throw error;
    findings.error('tokenizer', error.message);
    return;
  }
  checkPreTokenizer(metadata, findings);
  for (const note of tokenizer.notes) if (!note.startsWith(`${prefix}pre `)) findings.note('tokenizer', note);
  checkLength(file, tokenizer, findings);
  checkEnds(metadata, tokenizer, findings);
  checkTemplate(metadata, tokenizer, findings);
}

function checkPreTokenizer(metadata: Metadata, findings: Findings): void {
  if (metadata.string(`${prefix}model`) !== 'gpt2') return;
  const key = `${prefix}pre`;
  const pre = metadata.string(key);
  const family = vocabularyFamily(metadata);
  const isLlama = family?.pre === 'llama-bpe' || isBitnetB158(metadata.string('general.architecture') ?? '');
  if (pre === undefined) {
    const what = isLlama
      ? 'is missing; llama-bpe is used here, other engines split a fifth of all texts wrongly'
      : 'is missing; the fallback splits digits and punctuation as no model was trained with';
    findings.warning(key, what, isLlama ? 'ternlight convert adds it' : 'convert the model anew');
  } else if (pre === 'falcon_e')
    findings.note(key, 'is falcon_e, which llama.cpp does not know', 'ternlight convert calls it llama-bpe');
  else if (pre === 'default' && family)
    findings.warning(key, `is default, expected ${family.pre} with the ${family.name} vocabulary`, 'set the key');
}

function checkLength({ tensors }: ModelFile, { vocabSize }: Tokenizer, findings: Findings): void {
  const rows = tensors.find(({ name }) => name === 'token_embd.weight')?.dims[1];
  if (rows === undefined || rows === vocabSize) return;
  const what = `has ${vocabSize} tokens, the embedding ${rows} rows`;
  if (vocabSize < rows) findings.note(`${prefix}tokens`, `${what}: the last rows are padding`);
  else
    findings.warning(
      `${prefix}tokens`,
      `${what}: the last tokens have no embedding`,
      'check that both are of one model',
    );
}

function checkEnds(metadata: Metadata, tokenizer: Tokenizer, findings: Findings): void {
  const key = `${prefix}eos_token_id`;
  if (tokenizer.stopIds.size === 0) findings.warning(key, 'nothing says which token ends a text', 'set the key');
  else if (metadata.integer(key) === undefined && metadata.string(`${prefix}model`) === 'gpt2')
    findings.warning(key, 'is missing; other engines take token 11', 'set the key');
  const family = vocabularyFamily(metadata);
  const endOfTurn = family && tokenizer.id(family.endOfTurn);
  if (endOfTurn === undefined || metadata.string('tokenizer.chat_template') === undefined) return;
  const declared = ['eos', 'eot', 'eom'].map((name) => metadata.integer(`${prefix}${name}_token_id`));
  if (!declared.includes(endOfTurn))
    findings.note(
      `${prefix}eot_token_id`,
      `turns end with ${family!.endOfTurn} (${endOfTurn}), which no key says: known here, but an engine that stops at eos only plays both roles`,
    );
}

function checkTemplate(metadata: Metadata, tokenizer: Tokenizer, findings: Findings): void {
  const key = 'tokenizer.chat_template';
  const template = metadata.string(key);
  if (!template) {
    findings.note(key, 'is missing: a base model, which continues texts');
    return;
  }
  if (!metadata.string('general.architecture')?.startsWith('bitnet')) return;
  if (isWrongBitnetTemplate(template))
    findings.warning(
      key,
      'is "Human: ... BITNETAssistant: ", which the model was not trained with; replaced here, not by other engines',
      'ternlight convert replaces it',
    );
  else if (template.includes('<|start_header_id|>') && tokenizer.vocabSize === 128256)
    findings.warning(
      key,
      "is Llama-3's, which BitNet 2B-4T was not trained with",
      'ternlight convert the official file',
    );
}
