// From messages to the ids of a prompt, by the template of the model's file or, where that is known to be wrong, by
// the right one. What a message says never becomes a control token.
import { TernlightError } from '../errors.ts';
import type { Metadata } from '../formats/types.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import { JinjaTemplate } from './jinja.ts';
import type { ChatMessage } from './options.ts';
import { show } from './sampling-options.ts';
import { ControlTexts, Marker, type Segment } from './untrusted.ts';

export interface TemplateOptions {
  /** Further variables for the template, such as enable_thinking. They win over messages, bos_token and the like. */
  variables?: Readonly<Record<string, unknown>>;
}

export interface ChatTemplate {
  /** "bitnet": the form that BitNet b1.58 2B-4T was trained with; "file": the one in the model's file. */
  readonly kind: 'bitnet' | 'file';
  render(messages: readonly ChatMessage[], options?: TemplateOptions): Segment[];
}

/** The vocabulary of BitNet b1.58 2B-4T and Llama 3. */
const LLAMA3_VOCAB_SIZE = 128256;
const END_OF_TURN = '<|eot_id|>';

const templates = new WeakMap<Metadata, ChatTemplate>();

/** The template for a model. Throws "template" if there is none or it can not be read. */
export function chatTemplate(tokenizer: Tokenizer, metadata: Metadata): ChatTemplate {
  let template = templates.get(metadata);
  if (!template) {
    template = chooseTemplate(tokenizer, metadata);
    templates.set(metadata, template);
  }
  return template;
}

/**
 * The prompt for an answer to `messages`, with exactly one beginning-of-text token where the model wants one.
 * Throws "template" if there is none, it can not be rendered or it refuses the messages; "invalid-option" for
 * messages that are none.
 */
export function encodeChat(
  tokenizer: Tokenizer,
  metadata: Metadata,
  messages: readonly ChatMessage[],
  options: TemplateOptions = {},
): number[] {
  const template = chatTemplate(tokenizer, metadata);
  checkMessages(messages);
  const ids = template
    .render(messages, options)
    .flatMap(({ text, special }) => tokenizer.encode(text, { special, bos: false }));
  const { bosId } = tokenizer;
  if (bosId === undefined) return ids;
  let own = 0;
  while (ids[own] === bosId) own++;
  const wanted = own > 0 || tokenizer.addsBos || template.kind === 'bitnet';
  return wanted ? [bosId, ...ids.slice(own)] : ids;
}

function chooseTemplate(tokenizer: Tokenizer, metadata: Metadata): ChatTemplate {
  const source = metadata.string('tokenizer.chat_template') ?? '';
  const isBitnet = metadata.string('general.architecture')?.startsWith('bitnet') === true;
  const bitnet = isBitnet && tokenizer.id(END_OF_TURN) !== undefined ? bitnetTemplate() : undefined;
  if (source.trim() === '') {
    if (bitnet && tokenizer.vocabSize === LLAMA3_VOCAB_SIZE) return bitnet;
    throw new TernlightError(
      'template',
      'chat: the model file has no chat template, so this is a base model; use generate() with a prompt that it can continue',
    );
  }
  // The official 2B-4T file: its template ends the turn in front of the answer, in words the model never saw.
  if (bitnet && source.includes('BITNETAssistant')) return bitnet;
  const template = fileTemplate(tokenizer, source);
  return bitnet && sameForm(template, bitnet) ? bitnet : template;
}

/** Whether a template renders as the other does: then the other knows better where texts were cut in training. */
function sameForm(a: ChatTemplate, b: ChatTemplate): boolean {
  const probe = ['system', 'user', 'assistant', 'user'].map((role, i) => ({ role, content: ` probe ${i}` }));
  const joined = (template: ChatTemplate) =>
    template
      .render(probe)
      .map(({ text }) => text)
      .join('');
  try {
    return joined(a).endsWith(joined(b));
  } catch {
    return false;
  }
}

/**
 * "User: hi<|eot_id|>Assistant: " with the words in front of each content as a segment of their own: so the space
 * after the colon stays a token, as in the model's training data, and the answer begins without one.
 * Source: microsoft/BitNet gpu/tokenizer.py.
 */
function bitnetTemplate(): ChatTemplate {
  return {
    kind: 'bitnet',
    render: (messages) => [
      ...messages.flatMap(({ role, content }) => [
        { text: `${role.charAt(0).toUpperCase()}${role.slice(1).toLowerCase()}: `, special: false },
        { text: content.trim(), special: false },
        { text: END_OF_TURN, special: true },
      ]),
      { text: 'Assistant: ', special: false },
    ],
  };
}

function fileTemplate(tokenizer: Tokenizer, source: string): ChatTemplate {
  const template = new JinjaTemplate(source);
  const controls = new ControlTexts(tokenizer);
  const text = (id: number | undefined) => (id === undefined ? '' : (tokenizer.token(id) ?? ''));
  const own = { add_generation_prompt: true, bos_token: text(tokenizer.bosId), eos_token: text(tokenizer.eosId) };
  return {
    kind: 'file',
    render(messages, { variables = {} } = {}) {
      const marker = new Marker(controls, template.literals, source + JSON.stringify([messages, variables]));
      // Roles are the caller's own words, and templates compare them.
      const marked = messages.map((message) => ({ ...(marker.mark(message) as ChatMessage), role: message.role }));
      const others = marker.mark(variables) as Record<string, unknown>;
      return marker.segments(template.render({ ...own, messages: marked, ...others }));
    },
  };
}

function checkMessages(messages: readonly ChatMessage[]): void {
  const invalid = (what: string) => new TernlightError('invalid-option', `chat: ${what}`);
  if (!Array.isArray(messages)) throw invalid(`messages are ${show(messages)}, expected an array`);
  if (messages.length === 0) throw invalid('messages are an empty array, expected one message at least');
  for (const [i, message] of messages.entries())
    for (const key of ['role', 'content'] as const)
      if (typeof message?.[key] !== 'string')
        throw invalid(`messages[${i}].${key} is ${show(message?.[key])}, expected a text`);
}
