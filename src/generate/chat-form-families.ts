// Families of models, told by what their files say: the form they were trained with, which of their templates are known
// to be wrong, and how their makers sample. docs/CHAT.md lists them. A family is a line here and nowhere else.

import type { Tokenizer } from '../tokenizer/types.ts';
import type { SamplingOptions } from './options.ts';

/** What tells a family. */
export interface FileTraits {
  /** general.architecture, '' if it is missing. */
  readonly architecture: string;
  /** general.name, .basename and .finetune in small letters. */
  readonly names: string;
  /** tokenizer.ggml.pre, '' if it is missing. */
  readonly pre: string;
  readonly vocabSize: number;
  /** Whether the vocabulary has this token. */
  has(token: string): boolean;
}

export interface ChatFamily {
  readonly is: (file: FileTraits) => boolean;
  /** The name of its form. */
  readonly form: string;
  /** Whether this model was trained to chat, as far as one can tell. */
  readonly chats: (file: FileTraits) => boolean;
  /** Whether the form takes the place of this template of a file. Default: of none. */
  readonly replaces?: (template: string) => boolean;
  /** What the makers recommend, where the file says nothing. */
  readonly sampling?: SamplingOptions;
}

const namedSo = ({ names }: FileTraits) => /instruct|chat|(^|[^a-z])it([^a-z]|$)/.test(names);
const always = () => true;
const never = () => false;
/** The vocabulary of Llama 3 has so many tokens. */
const llama3Tokens = 128256;

/** The first that fits. */
const families: readonly ChatFamily[] = [
  {
    // BitNet b1.58 2B-4T: "bitnet" is what a converter calls it that also knows the models of the first paper.
    is: ({ architecture, vocabSize }) =>
      /^bitnet-(b1\.58|25)$/.test(architecture) || (architecture === 'bitnet' && vocabSize === llama3Tokens),
    form: 'bitnet-2b-4t',
    chats: ({ vocabSize }) => vocabSize === llama3Tokens,
    // The one in the official file is not the one it was trained with (end-of-text before every answer, no system
    // messages). The right one, which the safetensors repository has, says the same words as the form; rendered to one
    // text it would merge the space with what follows.
    replaces: (template) =>
      template.includes('BITNETAssistant') || /capitalize \+ ': ' ?\+.*<\|eot_id\|>.*'Assistant: '/s.test(template),
    sampling: { temperature: 0.7, topP: 0.95 },
  },
  {
    is: ({ names, has }) => names.includes('bonsai') && has('<|im_start|>'),
    form: 'qwen3',
    chats: always,
    sampling: { temperature: 0.5, topK: 20, topP: 0.85 },
  },
  {
    is: ({ architecture }) => architecture.startsWith('bitmamba'),
    form: 'question',
    chats: never,
    sampling: { temperature: 0.8, topK: 40, topP: 0.9, minP: 0.05, repetitionPenalty: 1.15 },
  },
  // Files made anew call the pre-tokenizer of both llama-bpe, which has the same pattern.
  {
    is: ({ pre, names }) => pre === 'falcon_e' || /falcon[-_ ]e([-_ ]|$)/.test(names),
    form: 'chatml',
    chats: namedSo,
  },
  { is: ({ pre, names }) => pre === 'falcon3' || names.includes('falcon3'), form: 'falcon3', chats: namedSo },
  { is: ({ pre, has }) => pre === 'qwen2' && has('<|im_start|>') && has('<think>'), form: 'qwen3', chats: namedSo },
  { is: ({ pre, has }) => pre === 'qwen2' && has('<|im_start|>'), form: 'chatml', chats: namedSo },
  { is: ({ has }) => has('<|start_header_id|>') && has('<|eot_id|>'), form: 'llama-3', chats: namedSo },
];

/** The strings of a file's metadata; keys of another type say nothing. */
export interface FileStrings {
  string(key: string): string | undefined;
}

/** Undefined for models of no known family. */
export function chatFamily(
  tokenizer: Pick<Tokenizer, 'vocabSize' | 'id'>,
  file: FileStrings,
): FamilyMember | undefined {
  const names = ['name', 'basename', 'finetune'].map((key) => file.string(`general.${key}`) ?? '');
  const traits: FileTraits = {
    architecture: file.string('general.architecture') ?? '',
    names: names.join(' ').toLowerCase(),
    pre: file.string('tokenizer.ggml.pre') ?? '',
    vocabSize: tokenizer.vocabSize,
    has: (token) => tokenizer.id(token) !== undefined,
  };
  const family = families.find(({ is }) => is(traits));
  return family && { family, chats: family.chats(traits) };
}

export interface FamilyMember {
  readonly family: ChatFamily;
  readonly chats: boolean;
}
