// The form of BitNet b1.58 2B-4T, by hand: header and content are encoded apart, which no text can say.

import { TernlightError } from '../errors.ts';
import type { Tokenizer } from '../tokenizer/types.ts';
import type { ChatMessage } from './options.ts';

/**
 * "User: ", the trimmed text and the end-of-turn token, each encoded by itself as in the model's training: the space
 * behind the colon is a token of its own, and the answer begins without one. Throws TernlightError 'template' where the
 * vocabulary has no <|eot_id|>.
 */
export function encodeBitnet(tokenizer: Tokenizer, messages: readonly ChatMessage[]): number[] {
  const encode = (text: string) => tokenizer.encode(text, { bos: false });
  // First of all: a model without a tokenizer has no end of turn either.
  const question = encode('Assistant: ');
  const end = tokenizer.id('<|eot_id|>');
  if (end === undefined)
    throw new TernlightError(
      'template',
      'chat: the vocabulary has no <|eot_id|>, which turns of the form bitnet-2b-4t end with; give another form',
    );
  const turns = messages.map(({ role, content }) => {
    const header = `${role.charAt(0).toUpperCase()}${role.slice(1).toLowerCase()}: `;
    return [...encode(header), ...encode(content.trim()), end];
  });
  const begin = tokenizer.bosId === undefined ? [] : [tokenizer.bosId];
  return [begin, ...turns, question].flat();
}
