// A conversation to the ids of a prompt: the checks of what is asked, the choice of the template, and the one form
// that is built by hand because the files that need it carry a wrong template.

import { TernlightError } from '../errors.ts';
import type { Metadata } from '../formats/types.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import { encodeUntrusted } from './chat-guard.ts';
import type { ChatMessage } from './options.ts';
import { compileTemplate, type Template } from './template.ts';

/** The two keys of a file that chat needs; small, where the metadata hold a whole vocabulary. */
export type ChatKeys = Pick<Metadata, 'string'>;

export function chatKeys(metadata: Metadata): ChatKeys {
  const kept = new Map(
    ['general.architecture', 'tokenizer.chat_template'].map((key) => [key, metadata.string(key)] as const),
  );
  return { string: (key) => kept.get(key) };
}

export interface EncodeChatOptions {
  /** For the template. Like the messages they are text: what they say never becomes a control token. */
  variables?: Readonly<Record<string, unknown>>;
  /** The date for templates that write one. Default: the time of the call. */
  now?: Date;
}

/**
 * The ids that make the model answer the last message, with the beginning-of-text token where it wants one.
 * Throws TernlightError: 'invalid-option' for messages that are none, 'template' where the file has no template or it
 * cannot be rendered.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  metadata: ChatKeys,
  messages: readonly ChatMessage[],
  { variables = {}, now }: EncodeChatOptions = {},
): number[] {
  checkMessages(messages);
  const source = metadata.string('tokenizer.chat_template');
  if (needsBitnetForm(tokenizer, metadata, source)) return encodeBitnet(tokenizer, messages);
  if (!source)
    throw new TernlightError(
      'template',
      'chat: the file has no chat template, so this is a base model; use generate() with a text to continue',
    );
  const template = compiled(metadata, source);
  const own = {
    add_generation_prompt: true,
    bos_token: tokenText(tokenizer, tokenizer.bosId),
    eos_token: tokenText(tokenizer, tokenizer.eosId),
  };
  const ids = encodeUntrusted(tokenizer, { variables, messages }, ({ variables, messages }) =>
    template({ ...own, ...variables, messages }, { now }),
  );
  return withOneBos(tokenizer, ids);
}

function checkMessages(messages: readonly ChatMessage[]): void {
  if (!Array.isArray(messages) || messages.length === 0)
    throw invalid(`messages is ${shown(messages)}, expected a list of one message at least`);
  for (const [i, message] of messages.entries()) {
    for (const key of ['role', 'content'] as const) {
      const value: unknown = message?.[key];
      if (typeof value !== 'string') throw invalid(`messages[${i}].${key} is ${shown(value)}, expected a string`);
    }
  }
}

function shown(value: unknown): string {
  return Array.isArray(value) ? (value.length === 0 ? 'empty' : 'a list') : value === null ? 'null' : typeof value;
}

function invalid(what: string): TernlightError {
  return new TernlightError('invalid-option', `chat: ${what}`);
}

/**
 * BitNet b1.58 2B-4T: the template in its official file is not the one it was trained with (end-of-text after every
 * question, no system messages), copies without a template are chat models too, and the right template, which the
 * safetensors repository has, says the same words; rendered to one text it would merge the space with what follows.
 */
function needsBitnetForm(tokenizer: Tokenizer, metadata: ChatKeys, source: string | undefined): boolean {
  if (!/^bitnet-(b1\.58|25)$/.test(metadata.string('general.architecture') ?? '')) return false;
  if (!source) return tokenizer.vocabSize === 128256;
  return source.includes('BITNETAssistant') || /capitalize \+ ': ' ?\+.*<\|eot_id\|>.*'Assistant: '/s.test(source);
}

/**
 * "User: ", the trimmed text and the end-of-turn token, each encoded by itself as in the model's training: the space
 * behind the colon is a token of its own, and the answer begins without one.
 */
function encodeBitnet(tokenizer: Tokenizer, messages: readonly ChatMessage[]): number[] {
  const end = tokenizer.id('<|eot_id|>');
  if (end === undefined)
    throw new TernlightError(
      'template',
      'chat: the vocabulary has no <|eot_id|>, which turns of BitNet 2B-4T end with',
    );
  const encode = (text: string) => tokenizer.encode(text, { bos: false });
  const turns = messages.map(({ role, content }) => {
    const header = `${role.charAt(0).toUpperCase()}${role.slice(1).toLowerCase()}: `;
    return [...encode(header), ...encode(content.trim()), end];
  });
  const begin = tokenizer.bosId === undefined ? [] : [tokenizer.bosId];
  return [begin, ...turns, encode('Assistant: ')].flat();
}

const templates = new WeakMap<ChatKeys, Template>();

function compiled(metadata: ChatKeys, source: string): Template {
  let template = templates.get(metadata);
  if (!template) {
    template = compileTemplate(source);
    templates.set(metadata, template);
  }
  return template;
}

function tokenText(tokenizer: Tokenizer, id: number | undefined): string {
  return (id === undefined ? undefined : tokenizer.token(id)) ?? '';
}

/** Some templates write the token, some leave it to the tokenizer, and some do what their tokenizer does again. */
function withOneBos({ bosId, addsBos }: Tokenizer, ids: number[]): number[] {
  if (bosId === undefined) return ids;
  const first = ids.findIndex((id) => id !== bosId);
  const written = first < 0 ? ids.length : first;
  return addsBos || written > 0 ? [bosId, ...ids.slice(written)] : ids;
}
