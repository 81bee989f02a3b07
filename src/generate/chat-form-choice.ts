// Which form a conversation takes: what the user asks for, else a form in place of a template that is known to be wrong,
// else the file's own template, else the form of the model's family if it chats. The rules: docs/CHAT.md.

import { TernlightError } from '../errors.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import { chatFamily, type FileStrings } from './chat-form-families.ts';
import { type ChatForm, chatForm, chatFormNames } from './chat-forms.ts';
import { show } from './sampling-options.ts';
import type { TemplateOrigin } from './template.ts';

export type ChatChoice = Pick<ChatForm, 'template' | 'endTokens' | 'endTexts'> & {
  /** The name of the form; "file" for the file's own template, "given" for one that the user wrote. */
  readonly id: string;
  /** For errors of the template. */
  readonly origin: TemplateOrigin;
};

/** As a name: the file's own template, even if it is known to be wrong. */
export const fileTemplate = 'file';

const givable = `template (--chat-template) takes ${chatFormNames.join(', ')}, or Jinja text`;

/**
 * Throws TernlightError: 'invalid-option' for a name that there is not, 'template' where the file has no template and
 * its model is not known to chat.
 */
export function chooseForm(tokenizer: Tokenizer, file: FileStrings, wanted?: string): ChatChoice {
  const own = file.string('tokenizer.chat_template') || undefined;
  if (wanted !== undefined) return asked(wanted, own);
  const member = chatFamily(tokenizer, file);
  const family = member?.family;
  if (own !== undefined) return family?.replaces?.(own) ? named(family.form) : ofFile(own);
  if (member?.chats) return named(member.family.form);
  throw new TernlightError(
    'template',
    `chat: the file has no chat template, so this is a base model; use generate() with a text to continue, or give a form${family ? ` such as ${family.form}` : ''}: ${givable}`,
  );
}

/** What is worth telling about the choice that a file gets when nobody asks for another, a sentence each. */
export function chatNotes(tokenizer: Tokenizer, file: FileStrings): string[] {
  const own = file.string('tokenizer.chat_template');
  const family = own ? chatFamily(tokenizer, file)?.family : undefined;
  // The other replaced one says the same, so it is nothing to tell.
  if (!own?.includes('BITNETAssistant') || !family?.replaces?.(own)) return [];
  return [`the file's chat template is known to be wrong; the form ${family.form} is used`];
}

function asked(wanted: unknown, own: string | undefined): ChatChoice {
  if (typeof wanted !== 'string')
    throw new TernlightError('invalid-option', `chat: template is ${show(wanted)}, expected a text; ${givable}`);
  if (wanted === fileTemplate) {
    if (own !== undefined) return ofFile(own);
    throw new TernlightError('template', `chat: the file has no chat template; ${givable}`);
  }
  if (chatForm(wanted)) return named(wanted);
  // Whatever renders anything has a tag.
  if (!/\{[{%]/.test(wanted))
    throw new TernlightError(
      'invalid-option',
      `chat: template is ${show(wanted.slice(0, 60))}, which is no form's name and no Jinja text; ${givable}, or ${fileTemplate}`,
    );
  return { id: 'given', template: wanted, origin: { where: 'chat template that was given', cure: 'mend it' } };
}

function named(id: string): ChatChoice {
  const form = chatForm(id);
  if (!form) throw new TernlightError('internal', `chat: a family has the form ${id}, which there is not`);
  return { ...form, origin: { where: `chat form ${id}`, cure: 'give another form' } };
}

function ofFile(template: string): ChatChoice {
  const cure = `give another form: ${givable}`;
  return { id: fileTemplate, template, origin: { where: 'chat template of the file', cure } };
}
