// tokenizer.json -> the lists of a GGUF tokenizer. Two kinds of BPE: over bytes, and SentencePiece's, which the file
// writes as merges and GGUF as scores.

import { TernlightError } from '../errors.ts';
import { JsonObject } from './hf-json.ts';
import type { MetadataBuilder } from './hf-metadata.ts';
import { byteLevelPre, isByteLevel, prefixesSpace } from './hf-pretokenizer.ts';
import { HfVocabulary, tokenType } from './hf-vocabulary.ts';
import { describe } from './safetensors-text.ts';

const prefix = 'tokenizer.ggml.';

export interface TokenizerFacts {
  readonly vocabulary: HfVocabulary;
  /** The name under tokenizer.ggml.pre; "default" for SentencePiece. */
  readonly pre: string;
  /** Tokens that the file itself puts in front of a text, and behind; undefined where it does not say. */
  readonly template: { readonly first: string | undefined; readonly last: string | undefined } | undefined;
}

export function tokenizerJsonEntries(json: JsonObject, builder: MetadataBuilder): TokenizerFacts {
  const model = json.object('model');
  if (!model) throw json.invalid('model', 'an object');
  // The oldest files leave the type out.
  if ((model.string('type') ?? 'BPE') !== 'BPE') throw model.unsupported('type', '"BPE"');
  for (const key of ['continuing_subword_prefix', 'end_of_word_suffix']) {
    if (model.string(key)) throw model.unsupported(key, 'none');
  }
  const vocab = model.object('vocab');
  if (!vocab) throw model.invalid('vocab', 'an object');
  const byteLevel = isByteLevel(json);
  const vocabulary = new HfVocabulary(json.where);
  for (const [text, id] of Object.entries(vocab.values)) {
    const isByte = !byteLevel && /^<0x[0-9A-F]{2}>$/.test(text);
    vocabulary.add(text, id, isByte ? tokenType.byte : tokenType.normal);
  }
  const unknown = model.string('unk_token');
  addTokens(json, vocabulary);
  const unknownId = unknown === undefined ? undefined : vocabulary.id(unknown);
  if (!byteLevel && unknownId !== undefined) vocabulary.setType(unknownId, tokenType.unknown);

  const merges = readMerges(model);
  const pre = byteLevel ? byteLevelPre(json) : 'default';
  builder.string(`${prefix}model`, byteLevel ? 'gpt2' : 'llama').string(`${prefix}pre`, pre);
  vocabulary.write(builder);
  if (byteLevel) {
    builder.strings(
      `${prefix}merges`,
      merges.map(([left, right]) => `${left} ${right}`),
    );
  } else {
    builder.floats(`${prefix}scores`, scoresOf(merges, vocabulary));
    builder.boolean(`${prefix}add_space_prefix`, prefixesSpace(json));
  }
  builder.integer(`${prefix}unknown_token_id`, unknownId);
  return { vocabulary, pre, template: readTemplate(json) };
}

function addTokens(json: JsonObject, vocabulary: HfVocabulary): void {
  for (const item of json.list('added_tokens') ?? []) {
    const token = JsonObject.of(`${json.where}: added_tokens`, item);
    const content = token.string('content');
    if (content === undefined) throw token.invalid('content', 'a string');
    vocabulary.change(content, token.raw('id'), token.boolean('special') ? tokenType.control : tokenType.userDefined);
  }
}

/** Both spellings: "a b", and ["a", "b"] of newer files. */
function readMerges(model: JsonObject): (readonly [string, string])[] {
  return (model.list('merges') ?? []).map((merge, rank) => {
    if (typeof merge === 'string') {
      const gap = merge.indexOf(' ', 1);
      if (gap > 0) return [merge.slice(0, gap), merge.slice(gap + 1)] as const;
    } else if (Array.isArray(merge) && merge.length === 2 && merge.every((part) => typeof part === 'string')) {
      return merge as [string, string];
    }
    throw new TernlightError(
      'invalid-file',
      `${model.where}: merge ${rank} is ${describe(merge)}, expected "left right" or two strings`,
    );
  });
}

/**
 * SentencePiece joins the pair whose product has the highest score; such a file lists, for each product in the order of
 * its score, every pair that makes it. So minus the rank of the first pair gives the same order, and the same ids.
 * Single characters are no products and tokens that no merge makes are not to come about: both are last.
 */
function scoresOf(merges: readonly (readonly [string, string])[], vocabulary: HfVocabulary): Float32Array {
  const scores = new Float32Array(vocabulary.size).fill(-merges.length);
  for (let rank = merges.length - 1; rank >= 0; rank--) {
    const [left, right] = merges[rank]!;
    const product = vocabulary.id(left + right);
    if (product !== undefined) scores[product] = -rank;
  }
  return scores;
}

/** What a TemplateProcessing puts around a single text. */
function readTemplate(json: JsonObject): TokenizerFacts['template'] {
  const outer = json.object('post_processor');
  const all = outer?.values.type === 'Sequence' ? (outer.list('processors') ?? []) : outer ? [outer.values] : [];
  for (const item of all) {
    const processor = JsonObject.of(`${json.where}: post_processor`, item);
    if (processor.values.type !== 'TemplateProcessing') continue;
    const parts = (processor.list('single') ?? []) as { Sequence?: object; SpecialToken?: { id?: unknown } }[];
    const text = parts.findIndex((part) => part?.Sequence !== undefined);
    const token = (part: (typeof parts)[number] | undefined) => {
      const id = part?.SpecialToken?.id;
      return typeof id === 'string' ? id : undefined;
    };
    return { first: token(parts[text - 1]), last: token(parts[text + 1]) };
  }
  return undefined;
}
