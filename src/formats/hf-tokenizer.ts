// A repository's tokenizer under GGUF's keys: the vocabulary from tokenizer.json or tokenizer.model, the special ids and
// the chat template from the files around it.

import { readFile, readJson, readText } from './hf-files.ts';
import { JsonObject } from './hf-json.ts';
import { MetadataBuilder } from './hf-metadata.ts';
import { addedTokens, type SentencePieceFacts, sentencePieceEntries } from './hf-sentencepiece.ts';
import { tokenizerJsonEntries } from './hf-tokenizer-json.ts';
import type { HfVocabulary } from './hf-vocabulary.ts';
import type { FileSet, Metadata } from './types.ts';

const prefix = 'tokenizer.ggml.';
const specialNames = ['bos_token', 'eos_token', 'unk_token', 'pad_token'];

/** The keys tokenizer.* of a repository's tokenizer; undefined where it has none. */
export async function readRepositoryTokenizer(files: FileSet, signal?: AbortSignal): Promise<Metadata | undefined> {
  const builder = new MetadataBuilder();
  await tokenizerEntries(files, JsonObject.of('config.json', {}), undefined, builder, signal);
  const metadata = builder.done();
  return metadata.has('tokenizer.ggml.tokens') ? metadata : undefined;
}

/** Adds nothing where the repository has no tokenizer. */
export async function tokenizerEntries(
  files: FileSet,
  config: JsonObject,
  generation: JsonObject | undefined,
  builder: MetadataBuilder,
  signal?: AbortSignal,
): Promise<void> {
  const settings = await readJson(files, 'tokenizer_config.json', signal);
  const map = await readJson(files, 'special_tokens_map.json', signal);
  const named = (name: string) => tokenName(settings, name) ?? tokenName(map, name);
  const json = await readJson(files, 'tokenizer.json', signal);
  const facts = json ? tokenizerJsonEntries(json, builder) : undefined;
  const model = json ? undefined : await readFile(files, 'tokenizer.model', signal);
  let pieces: SentencePieceFacts | undefined;
  if (model) {
    const list = await readJson(files, 'added_tokens.json', signal);
    const special = new Set(specialNames.map(named));
    pieces = sentencePieceEntries(model, addedTokens(list, settings, special), builder);
  }
  const vocabulary = facts?.vocabulary ?? pieces?.vocabulary;
  if (!vocabulary) return;
  const sources = [config, ...(generation ? [generation] : [])];
  const namedBos = idOf(vocabulary, named('bos_token'));
  const first = idOf(vocabulary, facts?.template?.first);
  const bos = namedBos ?? declaredIds(sources, 'bos_token_id', vocabulary)[0] ?? pieces?.bosId ?? first;
  const ends = declaredIds(sources, 'eos_token_id', vocabulary);
  if (ends.length === 0 && pieces?.eosId !== undefined) ends.push(pieces.eosId);
  const eos = idOf(vocabulary, named('eos_token'));
  // GGUF has one id for the end of a text; the other two keys hold what else ends an answer.
  const [end, second, third] = [...new Set(eos === undefined ? ends : [eos, ...ends])];
  builder
    .integer(`${prefix}bos_token_id`, bos)
    .integer(`${prefix}eos_token_id`, end)
    .integer(`${prefix}eot_token_id`, second)
    .integer(`${prefix}eom_token_id`, third)
    .integer(`${prefix}padding_token_id`, idOf(vocabulary, named('pad_token')))
    .boolean(`${prefix}add_bos_token`, bos !== undefined && addsBos())
    .boolean(`${prefix}add_eos_token`, settings?.boolean('add_eos_token') ?? facts?.template?.last !== undefined)
    .string('tokenizer.chat_template', await chatTemplate(files, settings, signal));

  function addsBos(): boolean {
    const said = settings?.boolean('add_bos_token');
    if (said !== undefined) return said;
    if (!facts) return true; // transformers' default where there is a tokenizer.model alone
    if (facts.template) return first === bos;
    // The first files of Llama-3 leave it to the chat template, but the model knows no text without it. Not so Falcon3's:
    // they name the end as the beginning in config.json, and add nothing.
    return facts.pre === 'llama-bpe' && namedBos !== undefined;
  }
}

/** A token's text, given as it is or as an object. */
function tokenName(settings: JsonObject | undefined, key: string): string | undefined {
  const value = settings?.raw(key);
  if (typeof value === 'object') return settings!.object(key)!.string('content');
  return settings?.string(key);
}

function idOf(vocabulary: HfVocabulary, text: string | undefined): number | undefined {
  return text === undefined ? undefined : vocabulary.id(text);
}

/** An id or a list of ids in each of the files, in their order. */
function declaredIds(sources: readonly JsonObject[], key: string, vocabulary: HfVocabulary): number[] {
  const ids: number[] = [];
  for (const source of sources) {
    const value = source.raw(key);
    for (const id of Array.isArray(value) ? value : value === undefined ? [] : [value]) {
      const there = Number.isInteger(id) && id >= 0 && vocabulary.text(id) !== undefined;
      if (!there) throw source.invalid(key, `ids of tokens, of which there are ${vocabulary.size}`);
      ids.push(id);
    }
  }
  return ids;
}

/** A file of its own wins, as in transformers. */
async function chatTemplate(
  files: FileSet,
  settings: JsonObject | undefined,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const jinja = await readText(files, 'chat_template.jinja', signal);
  if (jinja !== undefined) return jinja;
  const json = await readJson(files, 'chat_template.json', signal);
  if (json?.raw('chat_template') !== undefined) return json.string('chat_template');
  const value = settings?.raw('chat_template');
  if (!Array.isArray(value)) return settings?.string('chat_template');
  const templates = value.map((item) => JsonObject.of(`${settings!.where}: chat_template`, item));
  return (templates.find(({ values }) => values.name === 'default') ?? templates[0])?.string('template');
}
