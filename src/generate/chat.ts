// A conversation to the prompt of a generation: the checks of what is asked, the ids in the form that is chosen, and
// what ends the answer.

import { TernlightError } from '../errors.ts';
import type { Metadata } from '../formats/types.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import { type ChatChoice, chooseForm } from './chat-form-choice.ts';
import { endsOf } from './chat-forms.ts';
import { encodeUntrusted } from './chat-guard.ts';
import type { ChatMessage } from './options.ts';
import { compileTemplate, type Template } from './template.ts';

/** The keys of a file that chat needs; small, where the metadata hold a whole vocabulary. */
export type ChatKeys = Pick<Metadata, 'string'>;

/** Keys that only tell the family: what has the wrong type is no reason to refuse a file. */
const hints = ['general.name', 'general.basename', 'general.finetune', 'tokenizer.ggml.pre'];

export function chatKeys(metadata: Metadata): ChatKeys {
  const kept = new Map(
    ['general.architecture', 'tokenizer.chat_template', ...hints].map((key) => {
      try {
        return [key, metadata.string(key)] as const;
      } catch (error) {
        if (hints.includes(key)) return [key, undefined] as const;
        throw error;
      }
    }),
  );
  return { string: (key) => kept.get(key) };
}

export interface EncodeChatOptions {
  /** For the template. Like the messages they are text: what they say never becomes a control token. */
  variables?: Readonly<Record<string, unknown>>;
  /** The date for templates that write one. Default: the time of the call. */
  now?: Date;
  /** A form's name, "file" for the file's own template, or Jinja text. Default: by the file (docs/CHAT.md). */
  template?: string;
}

/** What a generation needs to answer a conversation. */
export interface ChatPrompt {
  /** With the beginning-of-text token where the model wants one. */
  ids: number[];
  /** Texts and tokens that end an answer in this form, beside the tokenizer's own stop tokens. */
  stop: string[];
  stopTokens: number[];
  /** The name of the form; "file" for the file's own template, "given" for one of the user's. */
  form: string;
}

/**
 * The prompt that makes the model answer the last message.
 * Throws TernlightError: 'invalid-option' for messages that are none and for a template's name that there is not,
 * 'template' where there is no template for this model or it cannot be rendered.
 */
export function chatPrompt(
  tokenizer: Tokenizer,
  metadata: ChatKeys,
  messages: readonly ChatMessage[],
  { variables = {}, now, template: wanted }: EncodeChatOptions = {},
): ChatPrompt {
  checkMessages(messages);
  const choice = chooseForm(tokenizer, metadata, wanted);
  const prompt = { ...endsOf(choice, tokenizer), form: choice.id };
  if (typeof choice.template !== 'string') return { ...prompt, ids: choice.template(tokenizer, messages) };
  const template = compiled(metadata, choice, choice.template);
  const own = {
    add_generation_prompt: true,
    bos_token: tokenText(tokenizer, tokenizer.bosId),
    eos_token: tokenText(tokenizer, tokenizer.eosId),
  };
  const ids = encodeUntrusted(tokenizer, { variables, messages }, ({ variables, messages }) =>
    template({ ...own, ...variables, messages }, { now }),
  );
  return { ...prompt, ids: withOneBos(tokenizer, ids) };
}

/** The ids of `chatPrompt`. */
export function encodeChat(
  tokenizer: Tokenizer,
  metadata: ChatKeys,
  messages: readonly ChatMessage[],
  options?: EncodeChatOptions,
): number[] {
  return chatPrompt(tokenizer, metadata, messages, options).ids;
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

/** The last template of each file: a conversation asks for the same one again and again. */
const templates = new WeakMap<ChatKeys, { source: string; template: Template }>();

function compiled(metadata: ChatKeys, { origin }: ChatChoice, source: string): Template {
  const last = templates.get(metadata);
  if (last?.source === source) return last.template;
  const template = compileTemplate(source, origin);
  templates.set(metadata, { source, template });
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
