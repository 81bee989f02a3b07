// The chat forms that have a name: how a conversation is written for a family of models, as these were trained, and
// what ends an answer. docs/CHAT.md lists them. Knows no files; which form a file gets is chat-form-choice.ts.

import type { Tokenizer } from '../tokenizer/types.ts';
import { encodeBitnet } from './chat-form-bitnet.ts';
import type { ChatMessage } from './options.ts';

export interface ChatForm {
  /** What users call it: "llama-3". */
  readonly id: string;
  /** The form in a line. */
  readonly description: string;
  /** Jinja text, or the ids by hand where they are not those of one text. */
  readonly template: string | ((tokenizer: Tokenizer, messages: readonly ChatMessage[]) => number[]);
  /** Tokens that end an answer beside the vocabulary's own; ordinary text in vocabularies without such a token. */
  readonly endTokens?: readonly string[];
  /** Texts that end an answer. */
  readonly endTexts?: readonly string[];
}

const chatmlMessage = "{{ '<|im_start|>' ~ message.role ~ '\\n' ~ content ~ '<|im_end|>\\n' }}";
const chatmlAnswer = "{% if add_generation_prompt %}{{ '<|im_start|>assistant\\n' }}{% endif %}";

const chatml = `{% for message in messages %}{% set content = message.content %}${chatmlMessage}{% endfor %}${chatmlAnswer}`;

/** ChatML in which answers may begin with thoughts; those of earlier answers are left out. */
const qwen3 = `{% for message in messages %}
{% set content = message.content %}
{% if message.role == 'assistant' and '</think>' in content %}
{% set content = content.split('</think>')[-1].lstrip() %}
{% endif %}
${chatmlMessage}
{%- endfor %}
${chatmlAnswer}
{%- if add_generation_prompt and enable_thinking is defined and enable_thinking is false %}
{{- '<think>\\n\\n</think>\\n\\n' }}
{%- endif %}`;

const llama3 = `{{ bos_token }}
{%- for message in messages %}
{{- '<|start_header_id|>' ~ message.role ~ '<|end_header_id|>\\n\\n' ~ message.content | trim ~ '<|eot_id|>' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|start_header_id|>assistant<|end_header_id|>\\n\\n' }}
{%- endif %}`;

// Written in full: put together of a role it could become any control token.
const falcon3 = `{% set markers = { 'system': '<|system|>', 'user': '<|user|>', 'assistant': '<|assistant|>' } %}
{% for message in messages %}
{% if message.role not in markers %}
{{ raise_exception('the roles of falcon3 are system, user and assistant, got ' ~ message.role) }}
{% endif %}
{{- markers[message.role] ~ '\\n' ~ message.content ~ '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- '<|assistant|>\\n' }}
{%- endif %}`;

const falconPlain = `{% for message in messages %}
{% set speaker = 'Falcon' if message.role == 'assistant' else message.role | capitalize %}
{{- speaker ~ ': ' ~ message.content | trim ~ '\\n' }}
{%- endfor %}
{%- if add_generation_prompt %}
{{- 'Falcon:' }}
{%- endif %}`;

const question = `{% for message in messages %}
{% if message.role == 'user' %}
{{- 'Question: ' ~ message.content | trim ~ '\\nDetailed answer:' }}
{%- elif message.role == 'assistant' %}
{{- ' ' ~ message.content | trim ~ '\\n' }}
{%- else %}
{{- message.content | trim ~ '\\n' }}
{%- endif %}
{% endfor %}`;

const forms: readonly ChatForm[] = [
  {
    id: 'bitnet-2b-4t',
    description: 'User: ...<|eot_id|>Assistant: , header and content encoded apart (BitNet b1.58 2B-4T)',
    template: encodeBitnet,
    endTokens: ['<|eot_id|>', '<|end_of_text|>'],
  },
  {
    id: 'llama-3',
    description: '<|start_header_id|>user<|end_header_id|> ...<|eot_id|> (Llama 3)',
    template: llama3,
    endTokens: ['<|eot_id|>', '<|end_of_text|>'],
  },
  {
    id: 'falcon3',
    description: '<|user|> ... <|assistant|>, each on a line of its own (Falcon3)',
    template: falcon3,
    endTokens: ['<|endoftext|>'],
  },
  {
    id: 'falcon-e-plain',
    description: 'User: ... Falcon: as text, ended by "\\nUser:" (Falcon-E 3B, where ChatML gives empty answers)',
    template: falconPlain,
    endTexts: ['\nUser:'],
  },
  {
    id: 'chatml',
    description: '<|im_start|>user ...<|im_end|> (Falcon-E, many others)',
    template: chatml,
    endTokens: ['<|im_end|>'],
  },
  {
    id: 'qwen3',
    description: 'ChatML with thoughts; variable enable_thinking (Qwen3, Bonsai)',
    template: qwen3,
    endTokens: ['<|im_end|>', '<|endoftext|>'],
  },
  {
    id: 'qwen3-no-think',
    description: 'the same with enable_thinking false: answers at once',
    template: `{% set enable_thinking = false %}${qwen3}`,
    endTokens: ['<|im_end|>', '<|endoftext|>'],
  },
  {
    id: 'question',
    description: 'Question: ... Detailed answer: as text, ended by "\\nQuestion:" (BitMamba-2, base models)',
    template: question,
    endTexts: ['\nQuestion:'],
  },
];

export const chatFormNames: readonly string[] = forms.map(({ id }) => id);

/** Undefined where there is no form of that name. */
export function chatForm(id: string): ChatForm | undefined {
  return forms.find((form) => form.id === id);
}

/** What ends an answer in this form, as options of a generation say it. */
export function endsOf(
  { endTokens = [], endTexts = [] }: Pick<ChatForm, 'endTokens' | 'endTexts'>,
  tokenizer: Tokenizer,
): { stop: string[]; stopTokens: number[] } {
  const stop = [...endTexts];
  const stopTokens: number[] = [];
  for (const text of endTokens) {
    const id = tokenizer.id(text);
    if (id === undefined) stop.push(text);
    else stopTokens.push(id);
  }
  return { stop, stopTokens };
}
